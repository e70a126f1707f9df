"""AWS Secrets Manager: where whoever runs the bot may keep credentials. It is read, and nothing else is asked of it.

https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.model.errors import ConfigError

ACTIONS = ("secretsmanager:GetSecretValue",)
"""All that the bot's role in AWS must be allowed; the policy is in docs/aws.md."""

SECONDS = 10
TRIES = 3


def fetch(name: str, environ: Mapping[str, str]) -> str:
    """The words of a secret, by its name or ARN. ConfigError says what is wrong; the region, the credentials and the
    address come from the environment or the machine, as for every tool of AWS.
    """
    try:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - an extra
    except ImportError:
        raise ConfigError("needs boto3: pip install 'patchbay[aws]'") from None
    try:
        answer = _client(environ).get_secret_value(SecretId=name)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        said = _WRONG.get(code, "AWS Secrets Manager refused it ({code})")
        raise ConfigError(said.format(name=name, code=code)) from None
    except BotoCoreError as error:
        raise ConfigError(f"AWS Secrets Manager was not reached: {type(error).__name__}") from None
    if not isinstance(answer.get("SecretString"), str):
        raise ConfigError(f"{name} in AWS Secrets Manager holds no words (a binary secret is none of ours)")
    return str(answer["SecretString"]).strip()


def _client(environ: Mapping[str, str]) -> Any:  # noqa: ANN401 - boto3 makes its classes as it runs
    import boto3  # noqa: PLC0415 - an extra
    from botocore.config import Config  # noqa: PLC0415

    limits = Config(connect_timeout=SECONDS, read_timeout=SECONDS, retries={"total_max_attempts": TRIES})
    given = {ours: environ[theirs] for theirs, ours in _GIVEN.items() if environ.get(theirs)}
    return boto3.session.Session().client("secretsmanager", config=limits, **given)


_GIVEN = {
    "AWS_REGION": "region_name",
    "AWS_ENDPOINT_URL_SECRETS_MANAGER": "endpoint_url",
    "AWS_ACCESS_KEY_ID": "aws_access_key_id",
    "AWS_SECRET_ACCESS_KEY": "aws_secret_access_key",
    "AWS_SESSION_TOKEN": "aws_session_token",
}
"""So that what is read is what is told, in tests too. What is missing here boto3 finds by itself, on EC2 or ECS."""

_WRONG = {
    "ResourceNotFoundException": "there is no secret {name} in AWS Secrets Manager, in this region",
    "AccessDeniedException": "AWS allows no reading of {name}: the role needs secretsmanager:GetSecretValue on it",
    "DecryptionFailure": "AWS cannot decrypt {name}: the role needs kms:Decrypt on its key",
    "UnrecognizedClientException": "AWS does not take the credentials of this machine",
    "InvalidRequestException": "{name} in AWS Secrets Manager is marked for deletion",
}
