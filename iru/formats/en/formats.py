"""How Django admin writes dates, the same for readers of every language: `2026-11-27 08:31`."""

DATE_FORMAT = "Y-m-d"
DATETIME_FORMAT = "Y-m-d H:i"
