from django.conf import settings
from django.urls import path, re_path

from access.pages import home, permissions, session, styleguide, token_life, token_list, token_usage, tokens, webhooks

urlpatterns = [
    path("", home.home, name="home"),
    path("theme/", home.set_theme, name="theme"),
    path("access/tokens/", token_list.token_list, name="tokens"),
    path("access/tokens/export/", token_list.export, name="token-export"),
    path("access/tokens/disable/", token_list.disable, name="tokens-disable"),
    path("access/tokens/revoke/", token_list.revoke, name="tokens-revoke"),
    path("access/tokens/new/", tokens.create, name="token-create"),
    path("access/tokens/rule/", token_life.rule, name="token-rule"),
    path("access/tokens/<uuid:token_id>/", permissions.view, name="token"),
    path("access/tokens/<uuid:token_id>/created/", tokens.created, name="token-created"),
    path("access/tokens/<uuid:token_id>/edit/", tokens.edit, name="token-edit"),
    path("access/tokens/<uuid:token_id>/rotate/", token_life.rotate, name="token-rotate"),
    path("access/tokens/<uuid:token_id>/end-overlap/", token_life.end_overlap, name="token-end-overlap"),
    path("access/tokens/<uuid:token_id>/disable/", token_life.disable, name="token-disable"),
    path("access/tokens/<uuid:token_id>/enable/", token_life.enable, name="token-enable"),
    path("access/tokens/<uuid:token_id>/revoke/", tokens.revoke, name="token-revoke"),
    path("access/tokens/<uuid:token_id>/permissions/edit/", permissions.edit, name="token-permissions"),
    path("access/tokens/<uuid:token_id>/permissions/copy/", permissions.copy, name="token-permissions-copy"),
    path("access/tokens/<uuid:token_id>/usage/", token_usage.usage, name="token-usage"),
    path("access/tokens/<uuid:token_id>/learn/", token_usage.learn, name="token-learn"),
    path("access/tokens/<uuid:token_id>/learn/stop/", token_usage.stop_learning, name="token-stop-learning"),
    path("access/tokens/<uuid:token_id>/activity/", tokens.activity, name="token-activity"),
    path("access/webhooks/", webhooks.webhook_list, name="webhooks"),
    path("access/webhooks/new/", webhooks.create, name="webhook-create"),
    path("access/webhooks/<uuid:webhook_id>/", webhooks.view, name="webhook"),
    path("access/webhooks/<uuid:webhook_id>/edit/", webhooks.edit, name="webhook-edit"),
    path("access/webhooks/<uuid:webhook_id>/delete/", webhooks.delete, name="webhook-delete"),
    path("access/webhooks/<uuid:webhook_id>/secret/", webhooks.replace_secret, name="webhook-secret"),
    path("access/webhooks/<uuid:webhook_id>/enabled/", webhooks.set_enabled, name="webhook-enabled"),
    path("access/webhooks/<uuid:webhook_id>/test/", webhooks.test, name="webhook-test"),
    path(
        "access/webhooks/<uuid:webhook_id>/deliveries/<uuid:delivery_id>/",
        webhooks.delivery_view,
        name="webhook-delivery",
    ),
    path(
        "access/webhooks/<uuid:webhook_id>/deliveries/<uuid:delivery_id>/redeliver/",
        webhooks.redeliver,
        name="webhook-redeliver",
    ),
    path("session/", session.session_state, name="session"),
    # allauth looks these names up itself.
    path("sign-in/", session.SignIn.as_view(), name="account_login"),
    path("sign-out/", session.SignOut.as_view(), name="account_logout"),
    path("suspended/", session.Suspended.as_view(), name="account_inactive"),
    path("password/reset/", session.PasswordReset.as_view(), name="account_reset_password"),
    path("password/reset/sent/", session.PasswordResetSent.as_view(), name="account_reset_password_done"),
    path("password/reset/done/", session.NewPasswordDone.as_view(), name="account_reset_password_from_key_done"),
    re_path(
        r"^password/reset/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        session.NewPassword.as_view(),
        name="account_reset_password_from_key",
    ),
]

if settings.DEBUG:
    urlpatterns.append(path("styleguide/", styleguide.styleguide, name="styleguide"))
