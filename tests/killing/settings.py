"""The settings of the tests, with one more app."""

from iru.settings import *  # noqa: F403
from iru.settings import INSTALLED_APPS as OF_THE_PRODUCT

INSTALLED_APPS = [*OF_THE_PRODUCT, "tests.killing"]
