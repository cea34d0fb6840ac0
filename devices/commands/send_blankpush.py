from devices.commands.base import Command
from devices.models import APPLE


class SendBlankPush(Command[None]):
    id = "send_blankpush"
    action = "blankpush"
    label = "Send a blank push"
    about = "Wake an Apple device by a push notification, so that it asks for its commands"
    platforms = APPLE
    # The only one that is no request: it is done when the device has asked.
    command_type = "BlankPush"
