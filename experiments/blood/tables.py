"""The tables of the README, from what result.json holds."""

from typing import Any

from experiments.blood import arms, world
from experiments.blood.measure import percent, spread
from experiments.blood.mistakes import KINDS
from experiments.blood.summary import BELIEVED, BEST, PHOTOS
from scenefit.tasks.detection import MIN_CONFIDENCE

BEGIN, END = "<!-- figures: written by the command -->", "<!-- end of figures -->"
NAMES = {"naive": "naive grammar", "wide": "wide grammar", "shrunk": "wide, shrunk to a quarter",
         "random": "random search on the distance", "cma": "CMA-ES on the distance",
         "wide-adapted": "wide, self-trained on the photos",
         "learned": "**learned, no label**", "adapted": "**learned, self-trained on the photos, no label**",
         "matched": "learned, then down the distance", "rewarded": "learned, then rewarded by 10 labels",
         "real+10": "10 labels alone", "real-longer+10": "10 labels alone, for longer",
         "wide+10": "wide, then 10 labels", "learned+10": "**learned, then 10 labels**",
         "rewarded+10": "learned, rewarded by 10 labels, then they",
         "real+all": "all labels (205)", "real-longer+all": "all labels, for longer",
         "content": "learned content, wide appearance", "appearance": "wide content, learned appearance",
         "relabelled": "the matched photos, with the boxes that the learned detector finds",
         "rescaled": "learned, self-trained on the photos, boxes rescaled by what 50 labels tell",
         "wide-rescaled": "wide grammar, boxes rescaled by what 50 labels tell",
         "learned-longer": "learned, trained on renders alone for as long",
         "recounted": "learned, platelets as many as 50 labels tell",
         "recounted-adapted": "learned, platelets as many as 50 labels tell, self-trained",
         "structured": "learned, its counts by a structure policy",
         "wide-longer": "wide grammar, trained on renders alone for as long", PHOTOS: "photos against photos",
         "wide-many": f"wide grammar, {arms.MANY} times the renders"}
STARTS = {"wide": "wide", "learned": "learned", "real": "labels alone", "real-longer": "labels alone, for longer"}
CURVE = ("0", "10", "25", "50", "100", "all")


def markdown(result: dict[str, Any]) -> str:
    """The README's tables."""
    lines = [f"{result['photos']} photos of `{result['report']}.txt`, {result['seeds']} seeds; 95 % intervals by "
             f"{result['resamples']} resamples of photos and seeds, the same for all arms.", ""]
    for prior in result["priors"]:
        part = result[f"prior {prior:g}"]
        lines += [f"### Sizes of the prior times {prior:g}", "",
                  "| trained on | mean AP50 | RBC | WBC | Platelets | mean AP | gap closed % | false + missed "
                  "| false at recall 0.5, 0.8 | renders | trainings | CPU s |", f"|{'---|' * 12}"]
        for arm, one in sorted(part["arms"].items(), key=lambda item: shown_at(item[0])):
            if "+" in arm and arm not in NAMES:
                continue  # of the label curve, which has a table of its own
            closed = part.get("gap closed", {}).get(arm)
            false, cost = [one["false at recall"][recall] for recall in ("0.5", "0.8")], one["cost"]
            cells = [name_of(arm), spread(one["mAP50"]), *(f"{100 * one[name]['mean']:.1f}" for name in world.CLASSES),
                     f"{100 * one['mAP']:.1f}", percent(closed),
                     f"{one['counts']['false']:.0f} + {one['counts']['missed']:.0f}",
                     ", ".join(map(told_false, false)), f"{cost['renders']:,.0f}",
                     f"{cost['trainings']:.0f}", f"{cost['cpu_seconds']:,.0f}"]
            lines.append(f"| {' | '.join(cells)} |")
        lines += ["", *differences(part), *curve(part["arms"]), *counts(part.get("counts")),
                  *mistakes(part["mistakes"]), *sizes(part["sizes"]), ""]
    lines += ["### Goals", "", "| sizes times | goal | met |", "|---|---|---|",
              *(f"| {g['prior']:g} | {g['goal']} | {'**no**' if g['met'] == 'no' else g['met']} |"
                for g in result["goals"]),
              "", "Yes: with all of the interval; on the mean: not with all of it."]
    return "\n".join(lines) + "\n"


def shown_at(arm: str) -> tuple[int, str]:
    """Its place in the tables."""
    return (list(NAMES).index(arm) if arm in NAMES else len(NAMES), arm)


def told_false(one: dict[str, Any]) -> str:
    if not one["seeds"]:
        return "never"
    return f"{one['mean']:.0f}" + (f" ({one['seeds']} of {one['of']} seeds)" if one["seeds"] < one["of"] else "")


def name_of(arm: str) -> str:
    if arm in NAMES:
        return NAMES[arm]
    start, _, labels = arm.partition("+")
    if labels:
        return f"{labels} labels alone" if start == "real" else f"{start}, then {labels} labels"
    return f"learned, {arm.partition('-')[2]} looks" if arm.startswith("look-") else arm


def differences(part: dict[str, Any]) -> list[str]:
    """Paired differences, in points."""
    said = []
    for key, others in part.items():
        arm, minus, _ = key.partition(" minus")
        each = [f"{name_of(other)} {spread(one)}" for other, one in others.items()] if minus else []
        if each:
            said += [f"{name_of(arm)} minus, in points of mean AP50, paired: {'; '.join(each)}.", ""]
    for arm, each in part.get("factors", {}).items():
        told = ", ".join(f"{name} {factor:.2f}" for name, factor in each.items())
        said += [f"Sides of the boxes of {name_of(arms.RESCALED[arm])} were rescaled by: {told}.", ""]
    if part.get("distance"):
        each = [f"{name_of(arm)} {part['distance'][arm]:.3f}" for arm in sorted(part["distance"], key=shown_at)]
        said += [f"The fit's own distance to the photos (squared MMD in its reader's features, mean of the seeds; of a "
                 f"search, the best that it saw): {'; '.join(each)}.", ""]
    best = part.get("best ceiling")
    if best:
        said += [f"Against the best arm with all labels ({name_of(best['arm'])}), {name_of(BEST)} closes "
                 f"{percent(best['gap closed'])} % of the gap.", ""]
    if "gap closed for longer" in part:
        closed = percent(part["gap closed for longer"])
        said += [f"Where all are trained for longer, learned closes {closed} % of the gap between the wide grammar and "
                 "all labels.", ""]
    wrong = part.get("mistakes against wide", {})
    if wrong:
        each = [f"{name_of(arm)} {spread(one, digits=0)} %" for arm, one in wrong.items()]
        believed = part.get(f"{BELIEVED} against wide")
        if believed:
            each.append(f"{name_of(BEST)}, finds believed from a score of {MIN_CONFIDENCE} on, as when it trained "
                        f"itself: {spread(believed['own'], digits=0)} %, and of the wide grammar's, believed from the "
                        "same on: "
                        f"{spread(believed['same'], digits=0)} %")
        said += [f"False and missed together, of the wide grammar's: {'; '.join(each)}.", ""]
    return said


def curve(found: dict[str, Any]) -> list[str]:
    """Mean AP50 and mean AP over the number of labelled photos, where the prior has more of it than 10 labels."""
    if not any(f"{start}+{labels}" in found for start in STARTS if start not in arms.ANY for labels in CURVE[2:]):
        return []
    lines = [f"| labelled photos | {' | '.join(CURVE)} |", f"|---|{'---|' * len(CURVE)}"]
    for start, told in STARTS.items():
        names = [start if labels == "0" else f"{start}+{labels}" for labels in CURVE]
        each = [f"{spread(found[name]['mAP50'])}; {100 * found[name]['mAP']:.1f}" if name in found else ""
                for name in names]
        lines.append(f"| {told} | {' | '.join(each)} |")
    return [*lines, "", "Mean AP50; mean AP. 100 and all take labels of photos that are matched without labels "
            "elsewhere.", ""]


def mistakes(found: dict[str, Any]) -> list[str]:
    """What is false, and why, and what is missed, at the threshold that each detector's own renders set."""
    if not found:
        return []
    lines = [f"| false or missed | {' | '.join(map(name_of, found))} |", f"|---|{'---|' * len(found)}"]
    for name in world.CLASSES:
        lines += [f"| {name}, {kind} | {' | '.join(f'{one[name][kind]:.0f}' for one in found.values())} |"
                  for kind in KINDS]
    total = [f"{sum(each for kinds in one.values() for each in kinds.values()):,.0f}" for one in found.values()]
    return [*lines, f"| all | {' | '.join(total)} |", "",
            "Mean of the seeds. Box off: a false find that overlaps a label of its class, by less than half, or one "
            "that is another's. Of the rest: at the border of the image; on another, surer find; alone.", ""]


def sizes(found: dict[str, Any]) -> list[str]:
    if not found:
        return []
    lines = [f"| sides of boxes, pixels | {' | '.join(world.CLASSES)} |", f"|---|{'---|' * len(world.CLASSES)}"]
    for arm, each in found.items():
        told = [f"{one['mean']:.0f}" + (f" ({one['low']:.0f} to {one['high']:.0f})" if "low" in one else "")
                for one in (each[name] for name in world.CLASSES)]
        lines.append(f"| {'labels of people (`few.txt`)' if arm == 'labels' else name_of(arm)} | {' | '.join(told)} |")
    return [*lines, "", "Medians; mean of the seeds, and the lowest and highest of them. The labels were read for this "
            "table only.", ""]


def counts(found: dict[str, Any] | None) -> list[str]:
    if not found:
        return []
    lines = [f"| cells in a photo to match | {' | '.join(world.CLASSES)} |", f"|---|{'---|' * len(world.CLASSES)}"]
    for key, rows in found.items():
        each = []
        for name in world.CLASSES:
            one = rows[name]
            text = f"{one['mean']:.1f} ± {one['sd']:.1f}"
            text += f", W {one['wasserstein']:.1f}" if "wasserstein" in one else ""
            each.append(text + (f", off by {one['absolute error']:.1f}" if "absolute error" in one else ""))
        lines.append(f"| {key} | {' | '.join(each)} |")
    return [*lines, "", "Mean ± standard deviation; W: Wasserstein distance of the counts to the labels'; off by: mean "
            "error of a photo's count, and in the first row that of the labels' own mean. Scenes, detected: what gets "
            "a label, or would; read: all cells, hidden and cut ones too. Labels of these photos were read for this "
            "table only.", ""]


def put_into(readme: str, text: str) -> str:
    """The README with its figures replaced. ValueError where it has no place for them."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the README needs a line {BEGIN!r} and after it one {END!r}: the tables go between them")
    return f"{before}{BEGIN}\n{text}{END}{after}"
