"""Every setting of the project. What differs between machines comes from the environment or from the settings file
(`.env`); .env.example lists those with their reasons."""

from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured
from django.utils.csp import CSP

from iru.databases import PrivateConnection, database, pooler, postgresql_options, replica
from iru.environment import BASE_DIR, advice, days, env_file, version
from iru.files import in_bucket, in_directory

env = environ.Env()
ENV_FILE = env_file()
env.read_env(ENV_FILE)  # the process environment wins over the file

VERSION = version()

# --- Names of this installation ---------------------------------------------------------------------------------------

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="")
if not SECRET_KEY:
    raise ImproperlyConfigured(f"SECRET_KEY is not set. {advice()}")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])

IRU_DOMAIN = env.str("IRU_DOMAIN", default="localhost")
IRU_SCHEME = env.str("IRU_SCHEME", default="https")
IRU_PORT = env.int("IRU_PORT", default=0)  # 0: the scheme's own port, left out of every URL
if IRU_SCHEME not in {"http", "https"}:
    raise ImproperlyConfigured("IRU_SCHEME is http or https.")

IRU_WEB_HOSTS = env.list("IRU_WEB_HOSTS", default=[IRU_DOMAIN])
# Hosts that serve the API without a tenant in their name: the token alone identifies the tenant.
IRU_BARE_API_HOSTS = env.list("IRU_BARE_API_HOSTS", default=[])
ALLOWED_HOSTS = [*IRU_WEB_HOSTS, *IRU_BARE_API_HOSTS, f".api.{IRU_DOMAIN}", f".mdm.{IRU_DOMAIN}"]
# Addresses or networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are applied. Empty: none.
IRU_TRUSTED_PROXIES = env.list("IRU_TRUSTED_PROXIES", default=[])

# --- Keys: each has one purpose, and none of them is SECRET_KEY -------------------------------------------------------

# "2:<hex>,1:<hex>", newest first: tokens are digested under the first and still found under the others.
IRU_TOKEN_KEYS = env.list("IRU_TOKEN_KEYS")
# "1:<hex>", newest first: device secrets are encrypted under the first; `rewrap_secrets` moves the others over.
IRU_SECRET_KEYS = env.list("IRU_SECRET_KEYS")
# Chain the audit events of a tenant, so that `verify_audit` notices a changed or missing one. "2:<hex>,1:<text>",
# newest first: new events are chained under the first, older ones are verified under theirs. IRU_AUDIT_KEY is key 1.
IRU_AUDIT_KEYS = env.list("IRU_AUDIT_KEYS", default=[])
IRU_AUDIT_KEY = env.str("IRU_AUDIT_KEY", default="")
if not IRU_AUDIT_KEY and not IRU_AUDIT_KEYS:
    raise ImproperlyConfigured(
        "IRU_AUDIT_KEY and IRU_AUDIT_KEYS are empty: anybody could forge the audit trail. See .env.example."
    )

# --- Django -----------------------------------------------------------------------------------------------------------

ROOT_URLCONF = "iru.urls"
IRU_API = "devices.api.api"  # HostMiddleware calls it for the API; a name, because access does not import devices
IRU_FILES = "devices.files.door.files"  # the same for files, at the same hosts
IRU_MCP = "devices.mcp.door.mcp"  # and for AI assistants
IRU_MDM = "devices.mdm.door.mdm"  # for devices, at their own hosts
WSGI_APPLICATION = "iru.wsgi.application"
DEFAULT_EXCEPTION_REPORTER_FILTER = "access.http.reports.ReportFilter"  # no PIN or password in a mailed report

INSTALLED_APPS = [
    "devices",
    "access",
    "django_htmx",
    "django_tasks_db",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "access.http.observing.ObservingMiddleware",  # around all others
    "access.http.health.HealthMiddleware",
    "access.http.migrating.MigrationsMiddleware",
    "access.http.middleware.ProxyMiddleware",
    "access.http.middleware.HostMiddleware",
    # Calls to the API end in HostMiddleware, so only pages pass the following.
    "django.middleware.gzip.GZipMiddleware",  # a page of 110 kB is sent in 14, and a proxy in front passes it on
    "access.http.queries.QueryMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "access.http.middleware.HeadMiddleware",
    "django.middleware.common.CommonMiddleware",
    "access.http.middleware.TimeZoneMiddleware",
    "access.http.middleware.BodyMiddleware",  # before CSRF protection, which looks into the form
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "access.http.middleware.AdministratorMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "access.http.middleware.RetryMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.csp",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "access.http.context_processors.shell",
            ],
        },
    }
]

FORM_RENDERER = "access.pages.forms.rendering.Renderer"

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en-us"
USE_I18N = False
USE_TZ = True
TIME_ZONE = env.str("TIME_ZONE", default="UTC")
FORMAT_MODULE_PATH = "iru.formats"  # the dates of Django admin

# --- Database ---------------------------------------------------------------------------------------------------------

# What stands between this and PostgreSQL, and hands each transaction to another connection: nothing, "pgbouncer" (1.21
# or later), or "other", for which no statements are prepared.
IRU_DATABASE_POOLER = pooler(env.str("IRU_DATABASE_POOLER", default=""))
# PostgreSQL's limits to what a request may do. `limit_database_role` gives them to the role, for use behind a pooler.
IRU_DATABASE_LIMITS = {
    "statement_timeout": "2800ms",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "10s",
}
DATABASES: dict[str, dict[str, Any]] = {
    "default": database(env.str("DATABASE_URL", default=""), default=BASE_DIR / "db.sqlite3")
}
DATABASES["default"]["CONN_MAX_AGE"] = None  # opening a connection costs more than most requests
# A connection that was cut between two requests is replaced; without it, one request of each thread fails.
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # Django's backend, with a limit on how many threads of a server wait for the write lock.
    DATABASES["default"]["ENGINE"] = "access.sqlite3"
    DATABASES["default"]["OPTIONS"] = {
        "factory": PrivateConnection,
        # A transaction that reads first and writes later fails under other writers in the default mode.
        "transaction_mode": "IMMEDIATE",
        # Seconds that one thread of a process waits for the write lock. The longest transactions, batches of an import,
        # take about one.
        "timeout": 5,
        # FULL: a write that was acknowledged survives a power cut. Each thread has a cache of its own: of 512 kB, where
        # SQLite's default is 2 MB, because the system's cache of files serves reads as fast.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-512;",
    }
else:
    # Django's backend, with a limit on our side to how long a call waits for the server.
    DATABASES["default"]["ENGINE"] = "access.postgresql"
    DATABASES["default"]["OPTIONS"] = {
        **postgresql_options(IRU_DATABASE_LIMITS, IRU_DATABASE_POOLER),
        **DATABASES["default"].get("OPTIONS", {}),  # the options after the question mark of DATABASE_URL
    }
    # A cursor of the server lives as long as its session, which a pooler gives to another client.
    DATABASES["default"]["DISABLE_SERVER_SIDE_CURSORS"] = bool(IRU_DATABASE_POOLER)

# A standby for Activity, the list of audit events and exports (access/replica.py). Nothing that decides about access is
# read from it.
if replica_url := env.str("DATABASE_REPLICA_URL", default=""):
    DATABASES["replica"] = replica(replica_url, DATABASES["default"])
    DATABASE_ROUTERS = ["access.postgresql.routers.OneData"]

# Where `backup` and `restore` find pg_dump and pg_restore, if not in the PATH. They must not be older than the server.
IRU_POSTGRESQL_PROGRAMS = env.str("IRU_POSTGRESQL_PROGRAMS", default="")

# --- Automated Device Enrollment --------------------------------------------------------------------------------------

# Apple's service. Use another address only for Apple's simulator and for tests.
IRU_ADE_URL = env.str("IRU_ADE_URL", default="https://mdmenrollment.apple.com")
# The URL at which a new device gets its enrollment profile, if not at the tenant's own host for devices. With `off`, no
# profile is assigned at Apple.
IRU_ADE_PROFILE_URL = env.str("IRU_ADE_PROFILE_URL", default="")
# A file with certificates in PEM: more authorities that issue certificates of Apple's devices than those known here.
IRU_ADE_AUTHORITIES = env.str("IRU_ADE_AUTHORITIES", default="")
if urlsplit(IRU_ADE_URL).scheme != "https" and urlsplit(IRU_ADE_URL).hostname not in {"localhost", "127.0.0.1"}:
    raise ImproperlyConfigured("IRU_ADE_URL begins with https://: server tokens are sent there.")

# --- Apple MDM --------------------------------------------------------------------------------------------------------

# Apple's push service. Use another address only for tests and simulated devices.
IRU_APNS_URL = env.str("IRU_APNS_URL", default="https://api.push.apple.com")
# What happens if a device enrolls that says it is one which is enrolled and was in contact within a day: "allow",
# because an erased device has to come back, or "refuse".
IRU_MDM_TAKE_OVER = env.str("IRU_MDM_TAKE_OVER", default="allow")
if IRU_MDM_TAKE_OVER not in {"allow", "refuse"}:
    raise ImproperlyConfigured("IRU_MDM_TAKE_OVER is allow or refuse.")
# Devices that are woken each second after a change of what they are to have. Each of them connects some times then.
IRU_MDM_WAKE_RATE = env.int("IRU_MDM_WAKE_RATE", default=20)
if IRU_MDM_WAKE_RATE < 1:
    raise ImproperlyConfigured("IRU_MDM_WAKE_RATE is at least 1.")

# --- Background work: `manage.py worker` runs these tasks -------------------------------------------------------------

TASKS = {"default": {"BACKEND": "access.tasks.backend.TaskBackend"}}

# --- Webhooks ---------------------------------------------------------------------------------------------------------

# Addresses or networks that webhooks may send to although they are not of the public Internet, and identity providers.
IRU_WEBHOOK_NETWORKS = env.list("IRU_WEBHOOK_NETWORKS", default=[])

# --- Outgoing connections ---------------------------------------------------------------------------------------------

# A proxy that opens tunnels (CONNECT), and what is connected to without it: names with all names below them, addresses
# and networks. Empty: every connection is direct.
IRU_HTTPS_PROXY = env.str("IRU_HTTPS_PROXY", default="")
IRU_NO_PROXY = env.list("IRU_NO_PROXY", default=[])
# A PEM file with the authorities that prove other servers, in place of the public ones.
IRU_CA_FILE = env.str("IRU_CA_FILE", default="")

# --- People -----------------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "access.Administrator"
AUTHENTICATION_BACKENDS = ["access.sign_in.backend.AdministratorBackend"]
PASSWORD_HASHERS = ["access.sign_in.hashing.OneAtATimeArgon2"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "access.sign_in.passwords.LengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
PASSWORD_RESET_TIMEOUT = 60 * 60  # a reset link lasts one hour

# A passkey replaces the password and its second step; it asks for a finger, a face or a PIN.
MFA_ADAPTER = "access.sign_in.adapter.MfaAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_USER_VERIFICATION = "required"
MFA_ALLOW_UNVERIFIED_EMAIL = True  # administrators are invited
SOCIALACCOUNT_ADAPTER = "access.sign_in.providers.SocialAdapter"
SOCIALACCOUNT_STORE_TOKENS = False
# Whether operators, who use Django admin, have to set up two-step verification.
IRU_OPERATORS_SECOND_STEP = env.bool("IRU_OPERATORS_SECOND_STEP", default=False)

LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_ADAPTER = "access.sign_in.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_FORMS = {"user_token": "access.pages.forms.session.ResetLinkForm"}
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"  # administrators are invited; their address is known
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = True
# Adding permissions to a token asks for the password again after ten minutes.
REAUTHENTICATION_TIMEOUT = 10 * 60
# access.sign_in.throttle counts attempts in the database, shared by every worker; a cache would count per process.
ACCOUNT_RATE_LIMITS = False

SESSION_ENGINE = "access.sign_in.sessions"
SESSION_COOKIE_AGE = 12 * 60 * 60
SESSION_IDLE_TIMEOUT = 60 * 60
HTTPS = IRU_SCHEME == "https"
# __Host- is refused by browsers without Secure, so plain http (the quick start) goes without the prefix.
SESSION_COOKIE_NAME = "__Host-session" if HTTPS else "session"
SESSION_COOKIE_SECURE = HTTPS
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = "__Host-csrf" if HTTPS else "csrf"
CSRF_COOKIE_SECURE = HTTPS
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "access.http.errors.csrf_failure"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

_mail = env.email_url("EMAIL_URL", default="smtp://localhost:25")
MAILERS: dict[str, dict[str, Any]] = {"default": {"BACKEND": _mail["EMAIL_BACKEND"]}}
if _mail["EMAIL_HOST"]:
    if _mail["EMAIL_BACKEND"] == "django.core.mail.backends.smtp.EmailBackend":
        MAILERS["default"]["BACKEND"] = "access.smtp.SmtpBackend"  # with the proxy and the authorities above
    MAILERS["default"]["OPTIONS"] = {
        "host": _mail["EMAIL_HOST"],
        "port": _mail["EMAIL_PORT"] or 25,
        "username": _mail["EMAIL_HOST_USER"] or "",
        "password": _mail["EMAIL_HOST_PASSWORD"] or "",
        "use_tls": _mail.get("EMAIL_USE_TLS", False),
        "use_ssl": _mail.get("EMAIL_USE_SSL", False),
        "timeout": 5,  # seconds for each answer of the mail server
    }
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default=f"Iru Endpoint <no-reply@{IRU_DOMAIN}>")

# --- Files: apps that are uploaded and downloaded, and exports --------------------------------------------------------

IRU_FILES_MAXIMUM = env.int("IRU_FILES_MAXIMUM", default=5 * 1024**3)  # bytes; S3's limit for one form
IRU_FILES_DIR = env.str("IRU_FILES_DIR", default=str(BASE_DIR / "var" / "files"))
_bucket = env.str("IRU_FILES_BUCKET", default="")
FILES = (
    in_bucket(
        _bucket,
        endpoint=env.str("IRU_FILES_ENDPOINT", default=""),
        region=env.str("IRU_FILES_REGION", default=""),
        access_key=env.str("IRU_FILES_ACCESS_KEY", default=""),
        secret_key=env.str("IRU_FILES_SECRET_KEY", default=""),
    )
    if _bucket
    else in_directory(IRU_FILES_DIR, api=f"{IRU_SCHEME}://*.api.{IRU_DOMAIN}{f':{IRU_PORT}' if IRU_PORT else ''}")
)

# --- How long rows are kept -------------------------------------------------------------------------------------------

# By setting, the days; 0 keeps rows for ever. `manage.py purge` deletes older ones; for most kinds a task does so too.
IRU_KEEP = days(
    {
        "IRU_KEEP_ACTIVITY": env.str("IRU_KEEP_ACTIVITY", default="730"),
        "IRU_KEEP_USAGE": env.str("IRU_KEEP_USAGE", default="400"),
        "IRU_KEEP_TASKS": env.str("IRU_KEEP_TASKS", default="7"),
        "IRU_KEEP_FAILED_TASKS": env.str("IRU_KEEP_FAILED_TASKS", default="30"),
        "IRU_KEEP_DELIVERIES": env.str("IRU_KEEP_DELIVERIES", default="30"),
        "IRU_KEEP_EXPORTS": env.str("IRU_KEEP_EXPORTS", default="7"),
    }
) | days({"IRU_KEEP_AUDIT": env.str("IRU_KEEP_AUDIT", default="0")}, least=400)
IRU_PURGE_DAILY = env.bool("IRU_PURGE_DAILY", default=False)

# --- Browser security -------------------------------------------------------------------------------------------------

SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SECURE_CSP = {
    "default-src": [CSP.NONE],
    "script-src": [CSP.SELF, CSP.NONCE],
    "style-src": [CSP.SELF, CSP.NONCE],
    "img-src": [CSP.SELF, "data:"],
    "connect-src": [CSP.SELF, *FILES.origins],  # pages upload files there
    "form-action": [CSP.SELF],
    "base-uri": [CSP.NONE],
    "frame-ancestors": [CSP.NONE],
    "manifest-src": [CSP.SELF],
}

# --- Limits of a request ----------------------------------------------------------------------------------------------

DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1000
FILE_UPLOAD_HANDLERS = ["access.http.bodies.NoFiles"]

# --- Static files -----------------------------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = env.str("STATIC_ROOT", default=str(BASE_DIR / "var" / "static"))
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES: dict[str, dict[str, Any]] = {
    "files": FILES.storage,
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": env.str(
            "STATIC_STORAGE",
            default="whitenoise.storage.CompressedManifestStaticFilesStorage",
        )
    },
}

# --- Logs: one JSON object a line on standard error, with anything shaped like a token taken out ----------------------

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "access.logs.JsonFormatter"}},
    "filters": {"outage": {"()": "access.logs.OutageFilter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json", "filters": ["outage"]}},
    "root": {"handlers": ["stderr"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        "django": {"level": "INFO"},
        "django.request": {"level": "ERROR"},  # mistakes of clients are answered, not logged
        "django.server": {"handlers": [], "propagate": True},
    },
}
