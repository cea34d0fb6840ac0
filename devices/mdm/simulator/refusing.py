"""How a simulated device refuses a command."""

MDM_ERRORS, PROFILE_ERRORS = "MCMDMErrorDomain", "MCInstallationErrorDomain"


class CommandError(Exception):
    """The device does not do what the command says."""

    def __init__(self, code: int, text: str, domain: str = MDM_ERRORS) -> None:
        super().__init__(text)
        self.chain = [
            {"ErrorCode": code, "ErrorDomain": domain, "LocalizedDescription": text, "USEnglishDescription": text}
        ]
