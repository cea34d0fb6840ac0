"""The settings of the peers: those of `startproject`, with persistent connections and production's DEBUG."""

import os
from typing import Any

import environ

from tests.benchmarks.peers import PEERS

PEER = os.environ["PEER"]
assert PEER in PEERS
BODIES = os.environ.get("PEER_BODIES", "")  # the directory with the constant bytes
SECRET_KEY = "the benchmarks' own"
DEBUG = False
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = f"tests.benchmarks.peers.urls.{PEER if PEER == 'ninja' else 'constant' if BODIES else 'rest'}"
USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "rest_framework",
    "rest_framework.authtoken",
    "rest_framework_api_key",
    "knox",
    "ninja",
    "tests.benchmarks.peers",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
if PEER == "bare":
    MIDDLEWARE = []
    INSTALLED_APPS = []

DATABASES: dict[str, dict[str, Any]] = {"default": environ.Env().db_url("PEER_DATABASE_URL")}
DATABASES["default"]["CONN_MAX_AGE"] = None  # opening a connection costs more than most requests
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-32000;",  # as ours
    }

_AUTHENTICATION = {
    "knox": ["knox.auth.TokenAuthentication"],
    "token": ["rest_framework.authentication.TokenAuthentication"],
}
_PERMISSION = {"apikey": "rest_framework_api_key.permissions.HasAPIKey"}
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": _AUTHENTICATION.get(PEER, []),
    "DEFAULT_PERMISSION_CLASSES": [_PERMISSION.get(PEER, "rest_framework.permissions.IsAuthenticated")],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
}
