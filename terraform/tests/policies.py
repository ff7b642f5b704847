"""What the roles of an applied option may do: each policy through parliament, and a table of what is allowed."""

from __future__ import annotations

import json
from typing import Any

import parliament
from moto.iam.access_control import IAMPolicy, PermissionResult

from terraform.tests.deployed import Deployed

# Named in the settings of every option, so that its role may read it. Nobody asks for it: the broker is plaintext.
SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:AmazonMSK_rows-AbCdEf"

# As well: with MSK's IAM the role may write there. No row is bad, so nobody looks whether it exists.
BAD_ROWS = "rows-that-are-bad"


def role_policies(deployed: Deployed) -> dict[str, list[str]]:
    """Return the inline policies of every role that was made, by the role's description."""
    iam = deployed.client("iam")
    found: dict[str, list[str]] = {}
    for role in iam.list_roles()["Roles"]:
        names = iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]
        documents = [
            iam.get_role_policy(RoleName=role["RoleName"], PolicyName=name)["PolicyDocument"] for name in names
        ]
        who = role.get("Description", role["RoleName"]).partition(":")[0]
        found[who] = [document if isinstance(document, str) else json.dumps(document) for document in documents]
    return found


def findings(policy: str) -> list[str]:
    """Return what parliament finds wrong with a policy: unknown actions, resources that do not fit, and such."""
    checked = parliament.analyze_policy_string(policy)
    return [f"{finding.issue} {finding.detail}" for finding in checked.findings]


def allowed(policies: list[str], action: str, resource: str) -> bool:
    """Tell whether one of the policies allows the action on the resource, conditions left aside."""
    results = [IAMPolicy(policy).is_action_permitted(action, resource=resource) for policy in policies]
    return PermissionResult.PERMITTED in results and PermissionResult.DENIED not in results


def assert_sound(deployed: Deployed) -> None:
    """No policy has a mistake that parliament knows, and none gives everything on everything."""
    for who, policies in role_policies(deployed).items():
        for policy in policies:
            assert findings(policy) == [], who
            for statement in json.loads(policy)["Statement"]:
                assert "*" not in _listed(statement["Action"]), who
                star = _listed(statement["Resource"]) == ["*"]
                assert not star or _listed(statement["Action"]) == ["ecr:GetAuthorizationToken"], who


def assert_processor_rights(deployed: Deployed, who: str) -> None:
    """The processor's role may do what the processor calls, and neither more nor elsewhere."""
    policies = role_policies(deployed)[who]
    bucket = f"arn:aws:s3:::{deployed.world.cloud.bucket}"
    account = deployed.client("sts").get_caller_identity()["Account"]
    table = f"arn:aws:dynamodb:eu-central-1:{account}:table/{deployed.outputs['checkpoint_table']}"
    source = f"{bucket}/{deployed.topic}.csv"
    table_of_rights = {
        ("s3:GetObject", source): True,
        ("s3:GetObjectVersion", source): True,
        ("s3:GetObject", f"{bucket}/other.csv"): False,
        ("s3:PutObject", source): False,
        ("s3:DeleteObject", source): False,
        ("s3:ListBucket", bucket): True,
        ("s3:ListBucket", "arn:aws:s3:::another"): False,
        ("dynamodb:GetItem", table): True,
        ("dynamodb:UpdateItem", table): True,
        ("dynamodb:DeleteItem", table): False,
        ("dynamodb:Scan", table): False,
        ("dynamodb:DeleteTable", table): False,
        ("dynamodb:UpdateItem", f"{table}-of-another"): False,
        ("secretsmanager:GetSecretValue", SECRET): True,
        ("secretsmanager:GetSecretValue", f"{SECRET}-of-another"): False,
        ("secretsmanager:PutSecretValue", SECRET): False,
        ("iam:PassRole", f"arn:aws:iam::{account}:role/any"): False,
    }
    seen = {asked: allowed(policies, *asked) for asked in table_of_rights}
    assert seen == table_of_rights


def assert_rights_on_msk(deployed: Deployed, who: str, cluster: str) -> None:
    """On MSK the role may use its topics, its group and its transactional id, and those of no other job."""
    policies = role_policies(deployed)[who]
    before, _, name_and_id = cluster.partition(":cluster/")
    place = {kind: f"{before}:{kind}/{name_and_id}" for kind in ("topic", "group", "transactional-id")}
    own = f"csv-to-kafka.{deployed.topic}"
    table_of_rights = {
        ("kafka-cluster:Connect", cluster): True,
        ("kafka-cluster:WriteDataIdempotently", cluster): True,
        ("kafka-cluster:WriteData", f"{place['topic']}/{deployed.topic}"): True,
        ("kafka-cluster:WriteData", f"{place['topic']}/another"): False,
        ("kafka-cluster:DeleteTopic", f"{place['topic']}/{deployed.topic}"): False,
        ("kafka-cluster:DescribeTopic", f"{place['topic']}/{BAD_ROWS}"): True,
        ("kafka-cluster:DescribeTopicDynamicConfiguration", f"{place['topic']}/{BAD_ROWS}"): True,
        ("kafka-cluster:WriteData", f"{place['topic']}/{BAD_ROWS}"): True,
        ("kafka-cluster:WriteData", f"{place['topic']}/{BAD_ROWS}-of-another"): False,
        ("kafka-cluster:ReadData", f"{place['topic']}/{BAD_ROWS}"): False,
        ("kafka-cluster:AlterTopicDynamicConfiguration", f"{place['topic']}/{BAD_ROWS}"): False,
        ("kafka-cluster:DeleteTopic", f"{place['topic']}/{BAD_ROWS}"): False,
        ("kafka-cluster:AlterGroup", f"{place['group']}/{own}"): True,
        ("kafka-cluster:AlterGroup", f"{place['group']}/another"): False,
        ("kafka-cluster:AlterTransactionalId", f"{place['transactional-id']}/{own}"): True,
        ("kafka-cluster:AlterTransactionalId", f"{place['transactional-id']}/another"): False,
        ("kafka-cluster:AlterCluster", cluster): False,
    }
    assert {asked: allowed(policies, *asked) for asked in table_of_rights} == table_of_rights


def _listed(one_or_many: Any) -> list[str]:
    return [one_or_many] if isinstance(one_or_many, str) else list(one_or_many)
