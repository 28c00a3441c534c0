"""Configurations for what was asked for."""

import json
from typing import Union

Value = Union[bool, str, list[str]]

#: What people name, and the option that stands for it.
OPTIONS: dict[str, dict[str, Value]] = {
    "ssh": {"services.openssh.enable": True},
    "printing": {"services.printing.enable": True},
    "printer": {"services.printing.enable": True},
    "firewall": {"networking.firewall.enable": True},
    "sound": {"sound.enable": True},
    "berlin": {"time.timeZone": "Europe/Berlin"},
    # NixOS renamed this one; the assistant has not noticed.
    "bluetooth": {"hardware.bluetooth.enabled": True},
}


def configuration_for(subject: str) -> dict[str, Value]:
    """The options that a subject stands for; what is no option is a package to be installed."""
    return OPTIONS.get(subject, {"environment.systemPackages": [subject]})


def as_nix(options: dict[str, Value]) -> str:
    """A configuration as Nix reads it."""
    lines = [f"  {json.dumps(name)} = {_value(value)};" for name, value in options.items()]
    return "\n".join(["{", *lines, "}", ""])


def _value(value: Value) -> str:
    if isinstance(value, list):
        return "[ " + " ".join(map(_value, value)) + " ]"
    # A dollar sign before a brace would be read as an expression.
    return json.dumps(value).replace("${", "\\${")
