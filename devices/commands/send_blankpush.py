from devices.commands.base import Command, MenuGroup
from devices.models import APPLE


class SendBlankPush(Command[None]):
    id = "send_blankpush"
    order = 170
    action = "blankpush"
    label = "Send a blank push"
    title = "Send blank push"
    about = "Wake an Apple device by a push notification, so that it asks for its commands"
    group = MenuGroup.MANAGE
    icon = "bell"
    consequence = "The device wakes up and asks for its waiting commands. Its user does not notice."
    platforms = APPLE
    # Not a request of the protocol: the command is completed when the device asks for its commands.
    command_type = "BlankPush"
