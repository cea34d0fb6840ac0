"""The sections of the permission editor. An operation's router names the one that it belongs to."""

from access.permissions import Section

BLUEPRINTS = Section("Blueprints", "Blueprints Management", "Permissions related to managing and creating Blueprints.")
BLUEPRINT_ROUTING = Section(
    "Blueprints", "Blueprint Routing", "Permissions related to how new devices find their Blueprint."
)
DEVICE_INFORMATION = Section(
    "Devices", "Device Information", "Permissions related to collecting details about enrolled devices."
)
DEVICE_ACTIONS = Section("Devices", "Device Actions", "Permissions related to committing actions against a device.")
DEVICE_SECRETS = Section(
    "Devices",
    "Device Secrets",
    "Permissions related to collecting sensitive authentication credentials from enrolled devices.",
)
AUTOMATED_DEVICE_ENROLLMENT = Section(
    "Apple Integrations",
    "Automated Device Enrollment",
    "Permissions related to devices that Apple assigns to the organization before they are enrolled.",
)
CUSTOM_APPS = Section("Library", "Custom Apps", "Permissions related to apps that the organization packages itself.")
CUSTOM_PROFILES = Section("Library", "Custom Profiles", "Permissions related to uploaded configuration profiles.")
CUSTOM_SCRIPTS = Section("Library", "Custom Scripts", "Permissions related to the scripts that run on Macs.")
IPA_APPS = Section(
    "Library", "In-House Apps", "Permissions related to apps that the organization builds for iPhone and iPad."
)
LIBRARY_ITEMS = Section("Library", "Library Items", "Permissions related to the activity and status of Library Items.")
SELF_SERVICE = Section("Self Service", "Self Service", "Permissions related to Self Service.")
PRISM = Section("Prism", "Prism", "Permissions related to what all devices report, category by category.")
TAGS = Section("Tags", "Tags", "Permissions related to the tags that devices carry.")
USERS = Section("Users", "Users", "Permissions related to the people whom devices are assigned to.")
ADMINS = Section("Users", "Admins", "Permissions related to the people who administer the organization.")
THREATS = Section("Threats", "Threats", "Permissions related to the threats that were found on devices.")
VULNERABILITIES = Section(
    "Vulnerabilities",
    "Vulnerability Management",
    "Permissions related to the vulnerable software that was found on devices.",
)
AUDIT_LOGS = Section("Audit Logs", "Audit Logs", "Permissions related to the audit trail of the organization.")
SETTINGS = Section("Settings", "Settings", "Permissions related to the settings of the organization.")

API_TOKENS = Section(
    "Access", "API Tokens", "Permissions related to the tokens of this API. No token grants what it lacks."
)

# In the reference alone: operations without a permission are in no section of the editor.
UNGATED = Section("General", "No permission needed", "Operations that need no permission.")
