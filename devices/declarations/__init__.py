"""Declarative management: the declarations that a device is to have, and its reports on them and on its status."""
