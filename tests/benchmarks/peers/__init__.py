"""A small Django project that answers the devices of a fleet with other frameworks, as a team would write it with them.

`PEER` in the environment says which of them a server is. Each answers the same JSON as our API.
"""

# Where the other frameworks are measured with what they authenticate by.
FRAMEWORKS = {
    "knox": "Django REST framework, django-rest-knox",
    "token": "Django REST framework, its own tokens",
    "apikey": "Django REST framework, djangorestframework-api-key",
    "ninja": "django-ninja, response schemas, API key",
}
# Django alone, which answers constant bytes to everybody.
CONSTANT = {
    "bare": "Django view, constant bytes, no middleware",
    "stack": "Django view, constant bytes, default middleware",
}
PEERS = FRAMEWORKS | CONSTANT
