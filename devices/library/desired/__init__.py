"""Desired state: what the Library wants on each enrolled device, and what the device has shown of it."""
