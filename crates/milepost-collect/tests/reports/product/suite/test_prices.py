import unittest

import pytest

from shop.prices import Basket, total


def test_members_pay_less():
    assert total([(50, 4)], member=True) == 184


def test_a_coupon():
    assert total([(50, 1)], coupon="TEN") == 44


def test_negative():
    with pytest.raises(ValueError):
        total([(1, -1)])


@pytest.mark.skip(reason="not yet")
def test_express():
    assert False


def test_abroad():
    assert total([(10, 1)], country="FR") == 20


class TestBasket(unittest.TestCase):
    def test_empty(self):
        self.assertEqual(Basket().price(), 0)
