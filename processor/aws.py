"""What S3 and DynamoDB share: the clients, and what a refusal means."""

from __future__ import annotations

import logging
import os
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, overload

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    NoCredentialsError,
    PartialCredentialsError,
    TokenRetrievalError,
)

from processor.errors import AccessDenied, BadSetting, PlaceMissing, Temporary

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

REFUSALS = frozenset({
    "401", "403", "AccessDenied", "AccessDeniedException", "AllAccessDisabled", "ExpiredToken",
    "ExpiredTokenException", "InvalidAccessKeyId", "InvalidClientTokenId", "InvalidSignatureException",
    "MissingAuthenticationTokenException", "SignatureDoesNotMatch", "UnrecognizedClientException",
})  # fmt: skip


@cache
def aws_session() -> boto3.Session:
    """Return the one session, which has read each service's model once."""
    import boto3  # noqa: PLC0415  # half of the start-up time; `--help` and a usage error need none of it

    return boto3.Session()


@overload
def aws_client(service: Literal["s3"]) -> S3Client: ...
@overload
def aws_client(service: Literal["dynamodb"]) -> DynamoDBClient: ...
@overload
def aws_client(service: Literal["secretsmanager"]) -> Any: ...
def aws_client(service: Literal["s3", "dynamodb", "secretsmanager"]) -> Any:
    """Make a client whose every call is bounded: 5 s to connect, 20 s for a read, 4 tries.

    Credentials, region and endpoint come from boto3's own variables. boto3 reads AWS_DEFAULT_REGION only, ECS and
    Fargate set AWS_REGION: either is taken. Raises BadSetting when there is no region, or the endpoint is no URL.
    """
    from botocore.config import Config  # noqa: PLC0415

    session, region = aws_session(), _region(service)
    config = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 4})
    try:
        client = session.client(service, region_name=region, config=config)
    except (BotoCoreError, ValueError) as error:
        raise BadSetting(
            f"no client for {service}: {error}", hint="set AWS_REGION, and check AWS_ENDPOINT_URL"
        ) from error
    if service == "dynamodb":  # the source looks at each answer's length and range itself
        client.meta.events.register("before-parse", _require_whole)
    return client


def stored_secret(arn: str, what: str) -> str:
    """Return a secret from Secrets Manager, as text. Raises BadSetting, AccessDenied, PlaceMissing, Temporary."""
    client = aws_client("secretsmanager")
    before = logging.root.manager.disable
    logging.disable(max(before, logging.DEBUG))  # there botocore would log the answer
    try:
        found = client.get_secret_value(SecretId=arn)
    except (BotoCoreError, ClientError) as error:
        if access_refused(error):
            raise refusal(error, f"reading {what}", needs=f"secretsmanager:GetSecretValue on {arn}") from error
        if isinstance(error, ClientError) and error_code(error) == "ResourceNotFoundException":
            raise PlaceMissing(f"{what}: there is no secret {arn}", hint="check the ARN, and AWS_REGION") from error
        raise Temporary(f"reading {what} failed: {error}", hint="start the same command again") from error
    finally:
        logging.disable(before)
    return str(found.get("SecretString") or found["SecretBinary"].decode(errors="replace"))


def msk_token() -> tuple[str, float]:
    """Return a token for a connection to MSK, and when it expires, in seconds of the epoch.

    Raises BadSetting when the extra is not installed or there is no region, AccessDenied without credentials.
    """
    try:
        from aws_msk_iam_sasl_signer import MSKAuthTokenProvider  # noqa: PLC0415  # an extra, and boto3 takes its time
    except ImportError as error:
        raise BadSetting(
            "the signer for AWS_MSK_IAM is not installed", hint="pip install 'csv-to-kafka[msk-iam]'"
        ) from error
    try:
        if aws_session().get_credentials() is None:
            raise NoCredentialsError
        token, expiry_ms = MSKAuthTokenProvider.generate_auth_token(_region("MSK"))
    except (BotoCoreError, ClientError) as error:
        raise refusal(error, "signing for MSK", needs="kafka-cluster:Connect") from error
    return token, expiry_ms / 1000


def metadata_endpoint() -> str:
    """Return where the instance metadata service is: botocore's variables and configuration count."""
    import botocore.session  # noqa: PLC0415
    from botocore.utils import InstanceMetadataFetcher, resolve_imds_endpoint_mode  # noqa: PLC0415

    session = botocore.session.get_session()
    endpoint = session.get_config_variable("ec2_metadata_service_endpoint")
    mode = resolve_imds_endpoint_mode(session)
    config = {"ec2_metadata_service_endpoint": endpoint, "ec2_metadata_service_endpoint_mode": mode}
    return str(InstanceMetadataFetcher(config=config).get_base_url())


def _region(service: str) -> str:
    region = os.environ.get("AWS_REGION") or aws_session().region_name
    if not region:
        raise BadSetting(f"no region for {service}", hint="set AWS_REGION")
    return region


def _require_whole(response_dict: dict[str, Any], **_: object) -> None:
    """Raise ConnectionClosedError for an answer that was cut within its head.

    http.client takes the end of the connection for the end of the head, and an item that was never sent would look
    like one that is not there.
    """
    names = {name.lower() for name in response_dict["headers"]}
    if names.isdisjoint({"content-length", "transfer-encoding"}):
        raise ConnectionClosedError(endpoint_url="DynamoDB, the answer was cut within its head")


def error_code(error: ClientError) -> str:
    """Return the service's code, for S3's HEAD just the HTTP status."""
    return str(error.response.get("Error", {}).get("Code", ""))


def access_refused(error: Exception) -> bool:
    """Tell whether credentials or permissions are the reason, so that trying again is no use."""
    if isinstance(error, ClientError):
        return error_code(error) in REFUSALS
    return isinstance(error, NoCredentialsError | PartialCredentialsError | TokenRetrievalError)


def refusal(error: Exception, doing: str, *, needs: str) -> AccessDenied:
    """Say who refused what, and which permission it takes."""
    return AccessDenied(f"{doing} was refused: {error}", hint=f"check the credentials and the permission {needs}")
