"""Plans and diffs: the result of an update, by the rules of the official plugin's framework.

The rules (terraform-plugin-framework 1.19, and Terraform's "proposed new state" before it): the plan has the program's
values. A computed value that the program leaves out stays at the API's earlier value. When anything differs from the
state, every computed value that the program leaves out becomes unknown, unless it is marked as unchanged by updates.
"""

from __future__ import annotations

from typing import Any

from offline_plugins.cloudflare.attributes import Attribute, Fields
from offline_plugins.resource import UNKNOWN, Diffed, Props

NOTHING: Props = {}


def planned(fields: Fields, config: Props, prior: Props) -> Props:
    """Plan the state after an update from `prior` (empty if new) to `config`; UNKNOWN is left to the API."""
    plan = _proposed(fields, config, prior)
    if not prior or plan != _ordered(fields, prior):
        _mark(fields, config, plan, prior)
    return plan


def _proposed(fields: Fields, config: Props, prior: Props) -> Props:
    plan: Props = {}
    for name, attribute in fields.items():
        value = _proposed_value(attribute, config.get(name), prior.get(name))
        if value is not None:
            plan[name] = value
    return plan


def _proposed_value(attribute: Attribute, config: Any, prior: Any) -> Any:
    if config is None:
        return _left_out(attribute, prior)
    if config is UNKNOWN:
        return UNKNOWN
    if attribute.kind == "object":
        return _proposed(attribute.fields, config, prior if isinstance(prior, dict) else NOTHING)
    if attribute.kind == "objects":
        before = prior if isinstance(prior, list) else []
        olds = [before[index] if index < len(before) else NOTHING for index in range(len(config))]
        return [_proposed(attribute.fields, new, old) for new, old in zip(config, olds, strict=True)]
    return _in_order(attribute, config)


def _left_out(attribute: Attribute, prior: Any) -> Any:
    """Return the planned value of an attribute that the program leaves out."""
    if not attribute.computed:
        return None
    if attribute.default is not None:
        return attribute.default
    # If only a program can have set the object's values, the program set the object: leaving it out removes it.
    if attribute.optional and attribute.fields and _set_by_program(attribute.fields, prior):
        return None
    return _in_order(attribute, prior)


def _set_by_program(fields: Fields, prior: Any) -> bool:
    items = prior if isinstance(prior, list) else [prior]
    return any(not fields[name].computed for item in items if isinstance(item, dict) for name in item if name in fields)


def _in_order(attribute: Attribute, value: Any) -> Any:
    """Sort a set, which has no order of its own."""
    if attribute.kind == "text set" and isinstance(value, list):
        known = sorted({item for item in value if item is not UNKNOWN})
        return known + [item for item in value if item is UNKNOWN]
    if attribute.kind == "object set" and isinstance(value, list):
        return sorted(value, key=lambda item: repr(sorted(item.items())) if isinstance(item, dict) else "")
    return value


def _ordered(fields: Fields, props: Props) -> Props:
    return {name: _in_order(fields[name], value) for name, value in props.items() if name in fields}


def _mark(fields: Fields, config: Props, plan: Props, prior: Props) -> None:
    """Turn every computed value that the program leaves out into UNKNOWN, in place."""
    for name, attribute in fields.items():
        given = config.get(name)
        if given is None:
            _mark_left_out(name, attribute, config, plan, prior)
        elif attribute.kind == "object" and isinstance(given, dict):
            before = prior.get(name)
            _mark(attribute.fields, given, plan[name], before if isinstance(before, dict) else NOTHING)
        elif attribute.kind in ("objects", "object set") and isinstance(given, list):
            for item, planned_item in zip(given, plan[name], strict=True):
                if isinstance(item, dict):
                    _mark(attribute.fields, item, planned_item, NOTHING)


def _mark_left_out(name: str, attribute: Attribute, config: Props, plan: Props, prior: Props) -> None:
    if not attribute.computed or attribute.default is not None:
        return
    if attribute.computed_for is not None and config.get(attribute.computed_for[0]) != attribute.computed_for[1]:
        plan.pop(name, None)
    elif not (attribute.stable and prior.get(name) is not None):
        plan[name] = UNKNOWN


def diffed(fields: Fields, config: Props, prior: Props, plan: Props) -> Diffed:
    """Return the Diff response: the names of differing properties, including computed ones that become unknown."""
    before = _ordered(fields, prior)
    names = sorted(name for name in fields if _differs(plan.get(name), before.get(name)))
    replaces = [
        name for name in names if fields[name].replaces and (config.get(name) is not None or not fields[name].computed)
    ]
    return Diffed(changes=bool(names), diffs=names, replaces=replaces)


def _differs(new: Any, old: Any) -> bool:
    # True == 1 in Python, but a boolean that became a number is a change.
    return new is UNKNOWN or bool(new != old) or isinstance(new, bool) is not isinstance(old, bool)


def settled(fields: Fields, plan: Props, answer: Props) -> Props:
    """Return the outputs: the plan, with the API's values in place of unknown ones; those that it lacks are removed.

    `answer` is the API's response, in the program's names.
    """
    out: Props = {}
    for name, attribute in fields.items():
        value, given = plan.get(name), answer.get(name)
        if attribute.computed and not attribute.optional and given is not None:
            out[name] = given
        elif value is UNKNOWN:
            if given is not None:
                out[name] = given
        elif attribute.kind == "object" and isinstance(value, dict):
            out[name] = settled(attribute.fields, value, given if isinstance(given, dict) else NOTHING)
        elif attribute.kind in ("objects", "object set") and isinstance(value, list):
            out[name] = [settled(attribute.fields, item, NOTHING) for item in value]
        elif value is not None:
            out[name] = value
    return out


def refreshed_inputs(inputs: Any, state: Any) -> Any:
    """Return the program's inputs with the resource's current values, only for the properties that the inputs have.

    A list is compared position by position, which mixes elements up when one is removed; the official plugin does the
    same.
    """
    if isinstance(inputs, dict) and isinstance(state, dict):
        return {name: refreshed_inputs(value, state[name]) for name, value in inputs.items() if name in state}
    if isinstance(inputs, list) and isinstance(state, list) and any(isinstance(item, dict) for item in inputs):
        return [refreshed_inputs(old, new) for old, new in zip(inputs, state, strict=False)]
    return state


def imported_inputs(fields: Fields, state: Props) -> Props:
    """Return the inputs of an imported resource: the properties that a program can set and that are not empty."""
    inputs: Props = {}
    for name, attribute in fields.items():
        value = state.get(name)
        if not attribute.optional or value is None:
            continue
        if attribute.kind == "object":
            value = imported_inputs(attribute.fields, value)
        elif attribute.kind in ("objects", "object set"):
            value = [imported_inputs(attribute.fields, item) for item in value]
        if attribute.required or value not in ("", False, [], {}):
            inputs[name] = value
    return inputs
