from shop import stock


def test_a_report_of_real_stock():
    assert stock.report({"apple": 200, "pear": 5}) == "apple: plenty\npear: few"


def test_reorder():
    assert stock.reorder({"apple": 5}, 7) == {"apple": 2}
