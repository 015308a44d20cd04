"""How two grammars differ, by their `Grammar.describe()`."""

import json
from collections.abc import Mapping
from typing import Any, TypeGuard


def grammar_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The differences between two `Grammar.describe()`, one line each."""
    old, new = (json.loads(json.dumps(part)) for part in (old, new))  # as they are read back from a file
    if old == new:
        return []
    found = [] if old.get("start") == new.get("start") else [f"start: {old.get('start')} -> {new.get('start')}"]
    flat = [{f"{kind}.{name}": text for kind, several in part.get("symbols", {}).items()
             for name, text in several.items()} for part in (old, new)]
    for name in dict.fromkeys([*flat[0], *flat[1]]):
        before, after = flat[0].get(name, "not there"), flat[1].get(name, "not there")
        if before != after:
            found.append(f"{name}: {before} -> {after}")
    kinds = [set(part.get("symbols", {})) for part in (old, new)]
    found += [f"symbol {kind}: {'removed' if kind in kinds[0] else 'added'}" for kind in sorted(kinds[0] ^ kinds[1])]
    rules = [part.get("rules", []) for part in (old, new)]
    found += [f"rule removed: {rule}" for rule in rules[0] if rule not in rules[1]]
    found += [f"rule added: {rule}" for rule in rules[1] if rule not in rules[0]]
    return found or ["the order of symbols, attributes or rules"]


def is_description(value: Any) -> TypeGuard[Mapping[str, Any]]:
    """Whether a value, read from a file, has the form of `Grammar.describe()`."""
    if not (isinstance(value, Mapping) and isinstance(value.get("symbols"), Mapping)):
        return False
    return isinstance(value.get("rules"), list) and all(isinstance(one, Mapping) for one in value["symbols"].values())
