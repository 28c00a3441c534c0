"""What is there."""


def state(count):
    if count > 100:
        return "plenty"
    if count > 10:
        return "some"
    if count > 0:
        return "few"
    return "none"


def report(stock):
    lines = []
    for name, count in sorted(stock.items()):
        lines.append(f"{name}: {state(count)}")
    return "\n".join(lines)


def reorder(stock, least):
    orders = {}
    for name, count in stock.items():
        if count < least:
            orders[name] = least - count
    return orders
