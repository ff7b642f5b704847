"""What the provider asks of Step Functions and the emulator does not answer: else the provider asks for ever."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser, ASLParserException
from moto.stepfunctions.responses import StepFunctionResponse


def answer_for_step_functions() -> None:
    """Have the emulator check a definition by its own parser, and list the versions that it keeps."""
    StepFunctionResponse.validate_state_machine_definition = _validate
    StepFunctionResponse.list_state_machine_versions = _list_versions


def _validate(self: Any) -> ActionResult:
    try:
        AmazonStateLanguageParser.parse(self._get_param("definition"))
    except ASLParserException as wrong:
        finding = {"severity": "ERROR", "code": "SCHEMA_VALIDATION_FAILED", "message": str(wrong)}
        return ActionResult({"result": "FAIL", "diagnostics": [finding]})
    return ActionResult({"result": "OK", "diagnostics": []})


def _list_versions(self: Any) -> ActionResult:
    machine = self.stepfunction_backend.describe_state_machine(self._get_param("stateMachineArn"))
    versions = [
        {"stateMachineVersionArn": version.arn, "creationDate": version.creation_date}
        for version in machine.versions.values()
    ]
    return ActionResult({"stateMachineVersions": versions})
