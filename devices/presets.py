"""The permissions that known tools need, for the presets of the permission editor."""

from access.presets import Preset, presets

IRUCTL = (
    "list_custom_profiles",
    "create_custom_profile",
    "update_custom_profile",
    "delete_custom_profile",
    "list_custom_scripts",
    "create_custom_script",
    "update_custom_script",
    "delete_custom_script",
    "list_custom_apps",
    "get_custom_app",
    "upload_custom_app",
    "create_custom_app",
    "update_custom_app",
    "delete_custom_app",
    "list_self_service_categories",
    "list_blueprints",
    "assign_library_item",
)
OKTA_WORKFLOWS = (
    "list_blueprints",
    "get_blueprint",
    "create_blueprint",
    "list_device_notes",
    "create_device_note",
    "list_devices",
    "get_device",
    "update_device",
    "get_device_apps",
    "get_device_library_items",
    "clear_passcode",
    "erase_device",
    "lock_device",
    "reinstall_agent",
    "remote_desktop",
    "restart_device",
    "send_blankpush",
    "shutdown_device",
    "unlock_account",
    "update_inventory",
    "get_activation_lock_bypass_code",
    "get_filevault_recovery_key",
    "get_unlock_pin",
    "list_ade_integrations",
    "get_ade_integration",
    "list_ade_integration_devices",
)
PROMETHEUS_EXPORTER = ("list_devices",)


def register() -> None:
    """Add the presets, once the catalogue is filled."""
    presets.register(Preset("iructl", "iructl", "Iru's command line for profiles, scripts and apps", IRUCTL))
    presets.register(Preset("okta-workflows", "Okta Workflows", "All cards of the connector", OKTA_WORKFLOWS))
    presets.register(
        Preset(
            "prometheus-exporter",
            "Prometheus exporter",
            "Devices by version and Blueprint, as the Prometheus exporter counts them",
            PROMETHEUS_EXPORTER,
        )
    )
