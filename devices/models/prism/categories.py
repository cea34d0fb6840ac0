"""The categories of Prism, declared as plain data.

The tables, the operations, the columns of filters, exports and pages, and the OpenAPI schemas are all made from
CATEGORIES.
"""

from devices.models.devices import APPLE, MACS, MOBILE
from devices.models.prism.columns import Category, Column, columns, flags, integers, of_device, texts, unseen

CATEGORIES: dict[str, Category] = {
    category.name: category
    for category in (
        Category(
            name="activation_lock",
            label="Activation lock",
            table="activation",
            about="Activation Lock of devices",
            families=APPLE,
            natural_key=(),
            own=(
                *flags("device_activation_lock_status", null=True),
                *flags("user_activation_lock_status"),
                # The bypass code is a secret, so it is always null in this list.
                Column(key="device_albc", kind="text", null=True, place="nowhere"),
                *flags(
                    "user_albc_escrowed bypass_code_expired user_activation_lock_allowed is_activation_lock_supported"
                ),
            ),
            charts=("user_activation_lock_status", "is_activation_lock_supported"),
            shown=("user_activation_lock_status", "user_activation_lock_allowed", "is_activation_lock_supported"),
        ),
        Category(
            name="apps",
            label="Applications",
            table="apps",
            about="the applications that are installed on devices",
            families=APPLE,
            natural_key=("path", "bundle_id", "name"),
            any_of=True,
            own=(
                *texts("path obtained_from", null=True),
                *integers("bundle_size", null=True),
                *texts("bundle_id name short_version"),
                *texts("signature", null=True),
                *flags(
                    "ad_hoc_code_signed app_store_vendable beta_app device_based_vpp download_canceled "
                    "download_failed download_paused download_waiting",
                    null=True,
                ),
                *integers("dynamic_size external_version_identifier", null=True),
                *flags("has_update_available installing", null=True),
                *texts("version"),
                *flags("app_clip validated", null=True),
                *texts("executable bundle_name bundle_type", null=True),
                *unseen("environment_variables"),
                *texts("compiler bundle_region", null=True),
                *unseen("bundle_display_name info"),
                *texts("minimum_system_version category", null=True),
                *unseen("apple_scriptable"),
                *texts("copyright developer_name team_id", null=True),
            ),
            charts=("name", "version", "obtained_from"),
            shown=("name", "version", "bundle_id"),
        ),
        Category(
            name="application_firewall",
            label="Application firewall",
            table="firewall",
            about="the application firewall of Macs",
            families=MACS,
            natural_key=(),
            own=(
                *flags("status block_all_incoming logging"),
                *texts("logging_option"),
                *flags("stealth_mode"),
                *texts("version"),
                *flags("allow_signed_applications unloading"),
            ),
            charts=("status", "stealth_mode", "version"),
            shown=("status", "block_all_incoming", "stealth_mode"),
        ),
        Category(
            name="cellular",
            label="Cellular",
            table="cellular",
            about="the cellular connections of devices",
            families=MOBILE,
            natural_key=(),
            own=(
                *texts("cellular_technology"),
                *flags("data_roaming_enabled voice_roaming_enabled"),
                *texts("modem_firmware_version"),
                *flags("personal_hotspot_enabled"),
                *texts("meid", place="row"),
                *unseen(
                    "carrier_settings_version_slot_1 current_carrier_network_slot_1 current_mcc_slot_1 "
                    "current_mnc_slot_1 eid_slot_1 iccid_slot_1"
                ),
                *texts("imei_slot_1", place="row"),
                *unseen(
                    "is_data_preferred_slot_1 is_roaming_slot_1 is_voice_preferred_slot_1 label_slot_1 "
                    "label_id_slot_1 phone_number_slot_1"
                ),
                *texts("slot_1"),
                *unseen(
                    "subscriber_carrier_network_slot_1 carrier_settings_version_slot_2 "
                    "current_carrier_network_slot_2 current_mcc_slot_2 current_mnc_slot_2 eid_slot_2 "
                    "iccid_slot_2 imei_slot_2 is_data_preferred_slot_2 is_roaming_slot_2 "
                    "is_voice_preferred_slot_2 label_slot_2 label_id_slot_2 phone_number_slot_2 slot_2 "
                    "subscriber_carrier_network_slot_2"
                ),
            ),
            charts=("cellular_technology", "data_roaming_enabled", "modem_firmware_version"),
            shown=("cellular_technology", "data_roaming_enabled", "imei_slot_1"),
        ),
        Category(
            name="certificates",
            label="Certificates",
            table="certificates",
            about="the certificates that are installed on devices",
            families=APPLE,
            natural_key=("common_name",),
            own=(*texts("common_name"), *flags("identity_certificate")),
            charts=("common_name", "identity_certificate"),
            shown=("common_name", "identity_certificate"),
        ),
        Category(
            name="desktop_and_screensaver",
            label="Desktop and Screensaver",
            table="desktop",
            about="the screen saver and the hot corners of the users of Macs",
            families=MACS,
            natural_key=("user_account",),
            own=(
                *integers("screensaver_interval", null=True),
                *texts("user_account"),
                *texts("screensaver_path", null=True),
                *flags("uses_random_screensaver show_with_clock"),
                *texts(
                    "top_left_hot_corner_option top_left_hot_corner_modifier top_right_hot_corner_option "
                    "top_right_hot_corner_modifier bottom_left_hot_corner_option "
                    "bottom_left_hot_corner_modifier bottom_right_hot_corner_option "
                    "bottom_right_hot_corner_modifier"
                ),
            ),
            charts=("screensaver_interval", "screensaver_path"),
            shown=("user_account", "screensaver_interval", "show_with_clock"),
        ),
        Category(
            name="device_information",
            label="Device information",
            table="information",
            about="the hardware and the system of devices",
            families=APPLE,
            natural_key=(),
            own=(
                *columns("number", "device_capacity"),
                # These names differ between devices, so they are in the row. Devices share the other values.
                *texts("host_name local_hostname", null=True, place="row"),
                *flags("apple_silicon", null=True),
                of_device("model", "text", "model"),
                *texts("model_name"),
                *flags("shared_ipad", null=True),
                *texts("cellular_technology", null=True),
                *flags("data_roaming hotspot", null=True),
                of_device("first_enrollment_date", "date", "first_enrollment"),
                of_device("last_enrollment_date", "date", "last_enrollment"),
                of_device("agent_version", "text", "agent_version", null=True, blank_is_null=True),
                of_device("mdm_enabled", "boolean", "mdm_enabled"),
                of_device("agent_installed", "boolean", "agent_installed", null=True),
                of_device("os_version", "text", "os_version"),
                of_device("os_build", "text", "supplemental_build_version"),
                *texts("marketing_name", null=True),
                of_device(
                    "supplemental_build_version", "text", "supplemental_build_version", null=True, blank_is_null=True
                ),
                of_device(
                    "supplemental_os_version_extra",
                    "text",
                    "supplemental_os_version_extra",
                    null=True,
                    blank_is_null=True,
                ),
                *texts("display_os_version"),
                of_device("last_checkin", "date", "last_check_in", null=True),
                *columns("date", "last_checkin_agent last_checkin_mdm", null=True, place="row"),
                *unseen("battery_health"),
                of_device("lost_mode_status", "text", "lost_mode_status", null=True, blank_is_null=True),
            ),
            charts=("display_os_version", "model_name", "apple_silicon"),
            shown=("model", "os_version", "last_checkin"),
        ),
        Category(
            name="filevault",
            label="FileVault",
            table="filevault",
            about="the disk encryption of Macs",
            families=MACS,
            natural_key=(),
            own=(
                *flags("status"),
                *texts("key_type", null=True),
                *flags("key_escrowed"),
                *flags("regeneration_needed", null=True),
                *columns("date", "scheduled_key_rotation", null=True, place="row"),
            ),
            charts=("status", "key_escrowed"),
            shown=("status", "key_type", "key_escrowed"),
        ),
        Category(
            name="gatekeeper_and_xprotect",
            label="Gatekeeper and XProtect",
            table="gatekeeper",
            about="Gatekeeper and XProtect of Macs",
            families=MACS,
            natural_key=(),
            own=(
                *flags("gatekeeper_status trusted_developers"),
                *texts("gatekeeper_version gatekeeper_opaque_version xprotect_version malware_removal_tool_version"),
            ),
            charts=("gatekeeper_status", "xprotect_version"),
            shown=("gatekeeper_status", "trusted_developers", "xprotect_version"),
        ),
        Category(
            name="installed_profiles",
            label="Installed profiles",
            table="profiles",
            about="the configuration profiles that are installed on devices",
            families=APPLE,
            natural_key=("payload_identifier",),
            own=(
                *texts("profile_display_name payload_identifier payload_uuid"),
                *flags("removal_passcode encrypted managed"),
                *texts("profile_description organization", null=True),
                *flags("removable signed"),
                *columns("json", "profile_data"),
            ),
            charts=("profile_display_name", "managed"),
            shown=("profile_display_name", "payload_identifier", "managed"),
        ),
        Category(
            name="kernel_extensions",
            label="Kernel Extensions",
            table="kexts",
            about="the kernel extensions of Macs",
            families=MACS,
            natural_key=("identifier", "path"),
            # The public API has not shown any row, so these columns are our choice: docs/decisions/unknowns.md.
            own=(
                *texts("path identifier name version"),
                *texts("team_id", null=True),
                *flags("is_loaded"),
            ),
            charts=("identifier", "is_loaded"),
            shown=("name", "identifier", "version"),
        ),
        Category(
            name="launch_agents_and_daemons",
            label="Launch Agents and Daemons",
            table="launch",
            about="the launch agents and daemons of Macs",
            families=MACS,
            natural_key=("path", "label"),
            own=(
                *texts("path file_name label"),
                *texts("program", null=True),
                *flags("run_at_load", null=True),
                *flags("keep_alive"),
                *flags("disabled", null=True),
                *flags("is_disabled is_loaded"),
                *unseen("group_name user_name standard_out_path standard_error_path"),
                *integers("start_interval", null=True),
                *texts("program_arguments", null=True),
                *unseen("watch_paths queue_directories start_on_mount root_directory working_directory"),
                *texts("process_type", null=True),
                # The signed-in user and the process differ between devices. In the content, they would prevent
                # devices from sharing it.
                Column(key="domain", kind="json", place="row"),
                *texts("service_domain"),
                Column(key="pid", kind="integer", null=True, place="row"),
                *unseen("user_agent_local_user user_agent_local_user_id"),
            ),
            charts=("label", "service_domain", "is_loaded"),
            shown=("label", "service_domain", "is_loaded"),
        ),
        Category(
            name="local_users",
            label="Local users",
            table="users",
            about="the local user accounts of Macs",
            families=MACS,
            natural_key=("username",),
            own=(
                *integers("uid"),
                *unseen("user_created_at failed_logins failed_login_time password_last_set"),
                *texts("generated_uid", place="row"),
                *texts("directory home_directory shell type"),
                *flags("hidden_user"),
                *unseen("secure_token"),
                *flags("filevault_user volume_owner"),
                *texts("full_name username"),
                *flags("logged_in"),
                *unseen("logged_in_time"),
                *flags("mobile_account home_folder_secure"),
            ),
            charts=("type", "filevault_user", "shell"),
            shown=("username", "type", "filevault_user"),
        ),
        Category(
            name="startup_settings",
            label="Startup settings",
            table="startup",
            about="the startup security of Macs",
            families=MACS,
            natural_key=(),
            own=(
                *flags(
                    "sip ssv bootstrap_token_auth kext_requires_bst software_update_requires_bst "
                    "bootstrap_token_escrowed"
                ),
                *texts("external_boot_level secure_boot_level"),
                *unseen("any_signed_os mdm_manages_kext user_manages_kext"),
            ),
            charts=("sip", "secure_boot_level", "bootstrap_token_escrowed"),
            shown=("sip", "secure_boot_level", "bootstrap_token_escrowed"),
        ),
        Category(
            name="system_extensions",
            label="System Extensions",
            table="extensions",
            about="the system extensions of Macs",
            families=MACS,
            natural_key=("identifier", "bundle_version", "path"),
            own=(
                *texts("path identifier state name short_version bundle_version categories bundle_path team_id"),
                *flags("is_mdm_managed"),
            ),
            charts=("name", "state", "is_mdm_managed"),
            shown=("name", "short_version", "state"),
        ),
        Category(
            name="transparency_database",
            label="Transparency database",
            table="transparency",
            about="what applications of Macs may access (Transparency, Consent and Control)",
            families=MACS,
            natural_key=("service", "application", "client_type", "local_user"),
            own=(
                *texts("service application client_type status status_reason"),
                Column(key="last_modified", kind="date", place="row"),
                *texts("local_user", null=True),
            ),
            charts=("service", "status", "application"),
            shown=("service", "application", "status"),
        ),
    )
}
# A category that exists only for exports. The public API has shown no column and no row: docs/decisions/unknowns.md.
EXPORT_ONLY = "ms_compliance"
