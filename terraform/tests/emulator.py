"""What the provider asks and the emulator does not answer: whether a state machine's definition can be parsed."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser, ASLParserException
from moto.stepfunctions.responses import StepFunctionResponse


def answer_validation() -> None:
    """Have the emulator answer ValidateStateMachineDefinition by its own parser; else the provider asks for ever."""
    StepFunctionResponse.validate_state_machine_definition = _validate


def _validate(self: Any) -> ActionResult:
    try:
        AmazonStateLanguageParser.parse(self._get_param("definition"))
    except ASLParserException as wrong:
        finding = {"severity": "ERROR", "code": "SCHEMA_VALIDATION_FAILED", "message": str(wrong)}
        return ActionResult({"result": "FAIL", "diagnostics": [finding]})
    return ActionResult({"result": "OK", "diagnostics": []})
