"""Prices of a small shop."""


def total(items, member=False, coupon=None, country="DE", express=False):
    """The price of all items, with what is taken off and what is added."""
    amount = 0
    for price, count in items:
        if count < 0:
            raise ValueError("a negative count")
        elif count == 0:
            continue
        amount += price * count
    if member and amount > 100:
        amount *= 0.9
    elif member:
        amount *= 0.95
    if coupon == "TEN" and amount >= 10:
        amount -= 10
    elif coupon == "FIVE" or coupon == "5":
        amount -= 5
    if country in ("DE", "AT") and not express:
        amount += 4
    elif express:
        amount += 12
    else:
        amount += 9
    return round(amount if amount > 0 else 0, 2)


class Basket:
    """What somebody wants to buy."""

    def __init__(self):
        self.items = []

    def add(self, price, count=1):
        self.items.append((price, count))

    def price(self, **options):
        if not self.items:
            return 0
        return total(self.items, **options)
