"""Declarative management: the declarations that a device is to have, and what it reports of itself and of them."""
