"""The tables of README.md, from the values of result.json."""

from typing import Any

from experiments.blood import arms, world
from experiments.blood.bootstrap import percent, with_interval
from experiments.blood.error_types import TYPES
from experiments.blood.summary import MAIN, PHOTOS, SELF_TRAINING_ERRORS
from scenefit.tasks.detection import MIN_CONFIDENCE

BEGIN, END = "<!-- figures: written by the command -->", "<!-- end of figures -->"
NAMES = {"naive": "naive grammar", "wide": "wide grammar", "shrunk": "wide grammar shrunk to a quarter",
         "random": "random search on the distance", "cma": "CMA-ES on the distance",
         "wide-adapted": "wide, self-trained on the photos",
         "learned": "**learned, no label**", "adapted": "**learned, self-trained on the photos, no label**",
         "matched": "learned, then MMD descent", "rewarded": "learned, then task reward from 10 labels",
         "real+10": "10 labels alone", "real-longer+10": "10 labels alone, trained longer",
         "wide+10": "wide, then 10 labels", "learned+10": "**learned, then 10 labels**",
         "rewarded+10": "learned, task reward from 10 labels, then the same 10 labels",
         "real+all": "all 205 labels alone", "real-longer+all": "all 205 labels alone, trained longer",
         "content": "learned content, wide appearance", "appearance": "wide content, learned appearance",
         "relabelled": "the matched photos, with the learned detector's predictions as labels",
         "rescaled": "learned, self-trained on the photos, boxes rescaled by factors from 50 labels",
         "wide-rescaled": "wide grammar, boxes rescaled by factors from 50 labels",
         "learned-longer": "learned, trained longer on renders alone",
         "recounted": "learned, platelet counts from 50 labels",
         "recounted-adapted": "learned, platelet counts from 50 labels, self-trained on the photos",
         "structured": "learned, with a structure policy for counts",
         "wide-longer": "wide grammar, trained longer on renders alone", PHOTOS: "photos against photos",
         "wide-many": f"wide grammar, {arms.MANY} times the renders"}
STARTS = {"wide": "wide, then labels", "learned": "learned, then labels", "real": "labels alone",
          "real-longer": "labels alone, trained longer"}
CURVE = ("0", "10", "25", "50", "100", "all")
TYPE_NAMES = dict(zip(TYPES, ("inaccurate box", "at the border", "on another detection", "isolated", "missed"),
                      strict=True))
COUNT_NAMES = {"labels": "labels", "read": "ABC posterior means of the photos",
               "scenes": "scenes, objects with a label", "detected": "detections in the photos"}


def markdown(result: dict[str, Any]) -> str:
    """The tables as Markdown."""
    lines = [f"{result['photos']} photos of `{result['report']}.txt`, {result['seeds']} seeds. 95 % intervals: "
             f"{result['resamples']} bootstrap resamples of photos and seeds, the same for all arms. \"10 labels\" are "
             "10 labelled photos.", ""]
    for prior in result["priors"]:
        part = result[f"prior {prior:g}"]
        lines += [f"### Sizes of the prior times {prior:g}", "", *arms_table(part), "", *differences(part),
                  *other_figures(part), *curve(part["arms"]), *counts(part.get("counts")),
                  *error_table(part["mistakes"]), *box_sizes(part["sizes"]), ""]
    lines += ["### Goals", "", "| sizes times | goal | met |", "|---|---|---|",
              *(f"| {g['prior']:g} | {g['goal']} | {'**no**' if g['met'] == 'no' else g['met']} |"
                for g in result["goals"]),
              "", "Yes: the whole interval meets the goal. On the mean: only the mean does."]
    return "\n".join(lines) + "\n"


def arms_table(part: dict[str, Any]) -> list[str]:
    """The main table of one prior, without the arms of the label curve."""
    lines = ["| trained on | mean AP50 | RBC | WBC | Platelets | mean AP | gap closed % | false + missed "
             "| false at recall 0.5, 0.8 | renders | trainings | CPU s |", f"|{'---|' * 12}"]
    for arm, one in sorted(part["arms"].items(), key=lambda item: order(item[0])):
        if "+" in arm and arm not in NAMES:
            continue  # of the label curve
        false, cost = [one["false at recall"][recall] for recall in ("0.5", "0.8")], one["cost"]
        cells = [name_of(arm), with_interval(one["mAP50"]),
                 *(f"{100 * one[name]['mean']:.1f}" for name in world.CLASSES), f"{100 * one['mAP']:.1f}",
                 percent(part.get("gap closed", {}).get(arm)),
                 f"{one['counts']['false']:.0f} + {one['counts']['missed']:.0f}", ", ".join(map(false_text, false)),
                 f"{cost['renders']:,.0f}", f"{cost['trainings']:.0f}", f"{cost['cpu_seconds']:,.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def order(arm: str) -> tuple[int, str]:
    """Sort key of an arm in the tables."""
    return (list(NAMES).index(arm) if arm in NAMES else len(NAMES), arm)


def false_text(one: dict[str, Any]) -> str:
    """Number of false detections at a recall; how many seeds reach the recall, if not all do."""
    if not one["seeds"]:
        return "not reached"
    return f"{one['mean']:.0f}" + (f" ({one['seeds']} of {one['of']} seeds)" if one["seeds"] < one["of"] else "")


def name_of(arm: str) -> str:
    """An arm's name in the tables."""
    if arm in NAMES:
        return NAMES[arm]
    start, _, labels = arm.partition("+")
    if labels:
        return f"{labels} labels alone" if start == "real" else f"{start}, then {labels} labels"
    rounds = arm.partition("-")[2]
    return f"learned, {rounds} round{'' if rounds == '1' else 's'}" if arm.startswith("round-") else arm


def differences(part: dict[str, Any]) -> list[str]:
    """Paired differences between arms, in points."""
    lines = []
    for key, others in part.items():
        arm, minus, _ = key.partition(" minus")
        each = [f"{name_of(other)} {with_interval(one)}" for other, one in others.items()] if minus else []
        if each:
            lines += [f"Paired differences in points of mean AP50, {name_of(arm)} minus: {'; '.join(each)}.", ""]
    return lines


def other_figures(part: dict[str, Any]) -> list[str]:
    """Scale factors, distances, the gap to other references, and errors relative to the wide grammar."""
    lines = []
    for arm, each in part.get("factors", {}).items():
        factors = ", ".join(f"{name} {factor:.2f}" for name, factor in each.items())
        lines += [f"Factors of box sides, {name_of(arms.RESCALED[arm])}: {factors}.", ""]
    if part.get("distance"):
        each = [f"{name_of(arm)} {part['distance'][arm]:.3f}" for arm in sorted(part["distance"], key=order)]
        lines += ["The fit's distance to the photos (squared MMD in the features of its regressor, mean over seeds; "
                  f"for a search, the lowest that it evaluated): {'; '.join(each)}.", ""]
    best = part.get("best ceiling")
    if best:
        lines += [f"Relative to the best arm with all labels ({name_of(best['arm'])}), {name_of(MAIN)} closes "
                  f"{percent(best['gap closed'])} % of the gap.", ""]
    if "gap closed for longer" in part:
        closed = percent(part["gap closed for longer"])
        lines += [f"If all arms train longer, learned closes {closed} % of the gap between the wide grammar and all "
                  "labels.", ""]
    errors = part.get("mistakes against wide", {})
    if errors:
        each = [f"{name_of(arm)} {with_interval(one, digits=0)} %" for arm, one in errors.items()]
        lines += [f"False and missed detections together, relative to the wide grammar: {'; '.join(each)}.", ""]
    errors = part.get(f"{SELF_TRAINING_ERRORS} against wide")
    if errors:
        lines += [f"The same for {name_of(MAIN)} at a confidence threshold of {MIN_CONFIDENCE}, as in self-training: "
                  f"{with_interval(errors['own'], digits=0)} %; relative to the wide grammar at that threshold: "
                  f"{with_interval(errors['same'], digits=0)} %.", ""]
    return lines


def curve(part: dict[str, Any]) -> list[str]:
    """Mean AP50 and mean AP over the number of labelled photos, if the prior has arms with more than 10 labels."""
    if not any(f"{start}+{labels}" in part for start in STARTS if start not in arms.ANY for labels in CURVE[2:]):
        return []
    lines = [f"| labelled photos | {' | '.join(CURVE)} |", f"|---|{'---|' * len(CURVE)}"]
    for start, name in STARTS.items():
        row = [start if labels == "0" else f"{start}+{labels}" for labels in CURVE]
        each = [f"{with_interval(part[arm]['mAP50'])}; {100 * part[arm]['mAP']:.1f}" if arm in part else ""
                for arm in row]
        lines.append(f"| {name} | {' | '.join(each)} |")
    return [*lines, "", "Mean AP50; mean AP. 100 and all include labels of photos that are matched without labels "
            "elsewhere.", ""]


def error_table(part: dict[str, Any]) -> list[str]:
    """False detections by type, and missed labels, at each detector's own threshold."""
    if not part:
        return []
    lines = [f"| false or missed | {' | '.join(map(name_of, part))} |", f"|---|{'---|' * len(part)}"]
    for name in world.CLASSES:
        lines += [f"| {name}, {TYPE_NAMES[kind]} | {' | '.join(f'{one[name][kind]:.0f}' for one in part.values())} |"
                  for kind in TYPES]
    total = [f"{sum(each for kinds in one.values() for each in kinds.values()):,.0f}" for one in part.values()]
    return [*lines, f"| all | {' | '.join(total)} |", "",
            "Means over seeds. Inaccurate box: a false detection that overlaps a label of its class with IoU below one "
            "half, or a label that another detection matches. The others, in this order: at the border of the image; "
            "on another, more confident detection; isolated.", ""]


def box_sizes(part: dict[str, Any]) -> list[str]:
    """Median sides of boxes of the labels, the prior and the learned distribution."""
    if not part:
        return []
    lines = [f"| sides of boxes, pixels | {' | '.join(world.CLASSES)} |", f"|---|{'---|' * len(world.CLASSES)}"]
    for arm, each in part.items():
        cells = [f"{one['mean']:.0f}" + (f" ({one['low']:.0f} to {one['high']:.0f})" if "low" in one else "")
                 for one in (each[name] for name in world.CLASSES)]
        lines.append(f"| {'labels (`few.txt`)' if arm == 'labels' else name_of(arm)} | {' | '.join(cells)} |")
    return [*lines, "", "Medians; mean over seeds (lowest to highest). The labels were read for this table only.", ""]


def counts(part: dict[str, Any] | None) -> list[str]:
    """Counts of cells per matched photo, in labels, scenes, detections and the fit's posterior."""
    if not part:
        return []
    lines = [f"| cells per matched photo | {' | '.join(world.CLASSES)} |", f"|---|{'---|' * len(world.CLASSES)}"]
    for key, rows in part.items():
        each = []
        for name in world.CLASSES:
            one = rows[name]
            text = f"{one['mean']:.1f} ± {one['sd']:.1f}"
            text += f", W {one['wasserstein']:.1f}" if "wasserstein" in one else ""
            each.append(text + (f", MAE {one['absolute error']:.1f}" if "absolute error" in one else ""))
        arm, _, source = key.rpartition(", ")
        lines.append(f"| {f'{arm}: ' if arm else ''}{COUNT_NAMES[source]} | {' | '.join(each)} |")
    return [*lines, "", "Mean ± standard deviation; W: Wasserstein distance to the labels' counts; MAE: mean absolute "
            "error of a photo's count (first row: of predicting the labels' mean for every photo). Posterior means "
            "include hidden and cut cells, which get no label. Labels of these photos were read for this table only.",
            ""]


def put_into(readme: str, text: str) -> str:
    """README.md with its figures replaced. ValueError if it has no marks for them."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"README.md has no line {BEGIN!r} followed by a line {END!r}; add both where the tables go")
    return f"{before}{BEGIN}\n{text}{END}{after}"
