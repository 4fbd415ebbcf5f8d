"""`taxo graph`: one picture, three formats, and an SVG in which nothing covers anything."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest

import taxo
from taxo.cli import main
from taxo.cli.graph import FORMATS, Picture, draw
from taxo.cli.graph.geometry import Box, Layout, Point
from taxo.cli.graph.layout import lay_out
from taxo.cli.graph.wires import segments
from taxo.compiler import lower, simplify
from taxo.compiler.graph import Deed, Value
from taxo.language.method import Method

PRIOR = "infer prior granularity sample"
CLIMB = "infer adversarial maximize loss within"
EVERYTHING = f"""method everything "Acts at every place, and reads of every kind"
param lam = 0.1 in [0, 1]
draw k ~ uniform(0, 1) per sample
draw xi ~ normal(0, 0.1) per batch like w
let early = epoch < 5 and progress < 0.9
perturb weights by 0.1 * w * xi {{ direction mixed infer prior granularity corpus }}
perturb features by k * x {{ where early direction mixed {PRIOR} }}
perturb features by d {{ where clean.loss > 1 and clean.margin < 2 direction negative
  {CLIMB} linf(0.1), box via pgd(steps: 7, step: 0.05) granularity sample }}
perturb logits by 0.1 * log(class_prior) * u + lam * progress * y - lam * progress * clean.u * 3 * k {{
  direction mixed {PRIOR} }}
perturb labels by lam * k * (p - y) {{ where margin < 1 direction mixed {PRIOR} }}
perturb loss by lam * (1 - p[y]) * k {{ where correct direction negative {PRIOR} }}
"""
BRANCHES = f"""method branches "Weighted branches with acts of their own, and one on all"
param lam = 0.4 in [0, 1]
draw k ~ uniform(0, 1) per sample
let a = sigmoid(clean.loss)
branch pull weight a {{ perturb labels by lam * (p - y) {{ direction mixed {PRIOR} }} }}
branch push weight (1 - a) * progress {{
  perturb weights by v {{ direction negative granularity corpus {CLIMB} l2(0.05) via linearized }}
  perturb features by d {{ direction negative granularity sample
    {CLIMB} linf(0.1), box via pgd(steps: 5, step: 0.05, start: uniform) }}
  perturb labels by k * lam * (1 / C - y) {{ direction mixed {PRIOR} }}
}}
branch third weight 0.1 * k {{ }}
perturb logits by 0.1 * log(class_prior) * u {{ direction mixed {PRIOR} }}
"""
HOSTILE = f"""method hostile "A <b>bold</b> & 'strange' #1; `title` of %% {{x}}"
draw end ~ normal(0, 1) per sample
draw graph ~ normal(0, 1) per sample
perturb features by end * x * graph {{ where epoch < 5 and progress >= 0.1 direction mixed {PRIOR} }}
perturb weights at "a.*[0]&<x>" by 0.1 * w {{ direction mixed infer prior granularity corpus }}
"""
LONG = f"""method {"a_very" * 12}_long_name "{"A title of many words. " * 12}"
draw {"draw" * 12} ~ normal(0, 1) per sample
let {"name" * 12} = {" + ".join(["clean.margin * clean.gradnorm"] * 9)} + clean.loss
perturb logits by {"draw" * 12} * {"name" * 12} * u + {" + ".join(["progress * u"] * 12)} {{
  where clean.correct direction mixed {PRIOR} }}
"""
TEXTS = {"everything": EVERYTHING, "branches": BRANCHES, "hostile": HOSTILE, "long": LONG}
VARIANTS = ["mixpert(eps: 8/255)", "mixpert(clean_share: 0.4, eps: 8/255)", "pgd_at(eps: 0)"]
each = pytest.mark.parametrize("name", [*taxo.methods(), *VARIANTS, *TEXTS])
SVG = "{http://www.w3.org/2000/svg}"


def method(name: str) -> Method:
    return taxo.parse(TEXTS[name]) if name in TEXTS else taxo.load(name)


def picture(name: str) -> Picture:
    return draw(method(name))


def edges(found: Picture) -> list[tuple[str, str]]:
    return sorted((edge.tail, edge.head) for edge in found.edges)


def texts(layout: Layout) -> list[tuple[str, Box]]:
    inside = [text for placed in layout.placed for text in placed.texts]
    return [(text.content, text.box) for text in (*layout.texts, *inside)]


@each
def test_every_act_and_all_it_reads_are_in_the_picture(name: str):
    """The compiler's graph is the measure: each of its acts is a box, each of its edges a wire."""
    found, graph = picture(name), lower(simplify(method(name)))
    wires = edges(found)
    unknowns = {act.key: act.unknown for act in graph.acts()}
    for node in graph.net:
        if isinstance(node, Deed):
            key = f"act_{node.key}_{node.line}"
            assert found.node(key).kind == "perturbation"
            for read in graph.net.predecessors(node):
                assert isinstance(read, Value)
                # parameters and counts are numbers in the form, the unknown is the act's own
                if read.name not in {*graph.scope.params, "C", "N", unknowns[node.key]}:
                    tail = holder(graph.net, read)
                    if read.line not in (-1, node.line):
                        tail = f"from_{graph.lines[read.line].name}_"
                    elif read.name in ("z", "h") and (tail, key) not in wires:
                        tail = f"from_{read.name}"  # no act of the line is there, so the model is one box
                    assert [one for one in wires if one[1] == key and one[0].startswith(tail)]
    acts = [node for node in found.nodes if node.kind == "perturbation"]
    assert len(acts) == sum(isinstance(node, Deed) for node in graph.net)


def holder(net, value: Value) -> str:
    """The box that holds a value of the compiler's graph."""
    if value.line < 0:
        return f"from_{value.name}"
    if value.stage == 0:
        return f"{value.name}_{value.line}"
    (deed,) = net.predecessors(value)
    return f"act_{deed.key}_{deed.line}"


@each
def test_a_box_says_the_coordinates(name: str):
    found, graph = picture(name), lower(simplify(method(name)))
    for number, line in enumerate(graph.lines):
        for act in line.acts:
            said = " ".join(caption.text for caption in found.node(f"act_{act.key}_{number}").captions)
            item = act.item
            grains = [word.text for word in item.granularity]
            words = [act.key, item.target.text, item.direction.text, item.infer.manner.text, *grains]
            assert [word for word in words if word not in said] == []


def test_inner_passes_and_costs_are_said():
    found = picture("mixpert(eps: 8/255)")
    said = [caption.text for caption in found.node("act_d_0").captions]
    assert "pgd, 5 steps" in said
    assert "maximize loss within linf(eps), box" in said
    assert "gradient, 1 step, no extra pass" in [one.text for one in found.node("act_v_0").captions]
    assert "joint, kept in a table" in [one.text for one in picture("logpert").node("act_v_0").captions]
    assert found.notes[-1] == "a step costs 6.25 F + 5.25 B"
    assert "hard = clean.loss in top(pro)" in found.notes


def test_what_is_read_is_named_on_the_wire():
    reads = {(edge.tail, edge.head): edge.reads for edge in picture("everything").edges}
    assert reads["from_clean", "act_d_0"] == "clean.loss, clean.margin"
    assert reads["act_logits_0", "act_labels_0"] == "margin, p"
    assert reads["act_labels_0", "act_loss_0"] == "y"
    assert reads["from_k", "act_features_0"] == "k"
    assert reads["y_0", "act_logits_0"] == "y"


def test_one_draw_read_twice_is_one_box():
    found = picture("everything")
    readers = {edge.head for edge in found.edges if edge.tail == "from_k"}
    assert readers == {"act_features_0", "act_logits_0", "act_labels_0", "act_loss_0"}


def test_branches_are_lanes_with_weights():
    found = picture("branches")
    assert [lane.name for lane in found.lanes] == ["pull", "third", "push"]
    assert found.lanes[0].weight == "a"
    assert ("from_clean", "weight_0") in edges(found)
    assert {edge.tail for edge in found.edges if edge.head == "total"} == {"weight_0", "weight_1", "weight_2"}


def test_a_method_in_which_nothing_acts():
    found = picture("pgd_at(eps: 0)")
    assert "nothing acts: the step is the plain loss" in found.notes
    assert [node.key for node in found.nodes] == ["x_0", "y_0", "model_u_0", "u_0", "loss_0", "total"]


def test_what_is_amended_between_rounds_is_noted():
    found = picture("dpl_replace")
    assert {"every round, d moves samples", "nothing acts in a step: it is the plain loss"} <= {*found.notes}
    assert found.notes[-1].startswith("a round costs 1 F + 1.95 B of the data, ")


@each
def test_the_svg_is_xml_with_a_title_for_every_box(name: str):
    found = picture(name)
    root = ElementTree.fromstring(FORMATS[".svg"](found))
    groups = {group.get("id"): group for group in root.iter(f"{SVG}g")}
    assert set(groups) == {node.key for node in found.nodes}
    for node in found.nodes:
        title, *_ = groups[node.key]
        assert (title.tag, title.text) == (f"{SVG}title", node.title)
        assert [text.text for text in groups[node.key].iter(f"{SVG}text")] == [
            one.text for one in node.captions
        ]
    wires = [(path.get("data-from"), path.get("data-to")) for path in root.iter(f"{SVG}path")]
    assert sorted(wire for wire in wires if all(wire)) == edges(found)
    assert "prefers-color-scheme: dark" in root.findtext(f"{SVG}style", "")


@each
def test_no_text_covers_another_and_nothing_is_cut_off(name: str):
    layout = lay_out(picture(name))
    page = Box(0, 0, layout.width, layout.height)
    found = texts(layout)
    assert [(a, b) for (a, one), (b, other) in combinations(found, 2) if one.meets(other)] == []
    boxes = [placed.box for placed in layout.placed]
    assert [box for _, box in found if not within(box, page)] == []
    assert [box for box in (*boxes, *layout.frames) if not within(box, page)] == []
    for placed in layout.placed:
        assert [text for text in placed.texts if not within(text.box, placed.box)] == []


@each
def test_no_box_covers_another(name: str):
    layout = lay_out(picture(name))
    pairs = combinations(layout.placed, 2)
    assert [(a.node.key, b.node.key) for a, b in pairs if a.box.meets(b.box)] == []
    outside = [(text.content, text.box) for text in layout.texts]
    assert [said for said, box in outside for placed in layout.placed if box.meets(placed.box)] == []
    assert not any(one.meets(other) for one, other in combinations(layout.frames, 2))


@each
def test_no_wire_crosses_a_text_or_a_box(name: str):
    layout = lay_out(picture(name))
    for wire in layout.wires:
        for start, end in segments(wire):
            left, top = min(start[0], end[0]), min(start[1], end[1])
            # half a pixel short of its ends, which touch the boxes they belong to
            line = Box(left + 0.5, top + 0.5, abs(end[0] - start[0]) - 1, abs(end[1] - start[1]) - 1)
            stroke = Box(line.left, line.top, max(line.width, 0.1), max(line.height, 0.1))
            assert [said for said, box in texts(layout) if box.meets(stroke)] == []
            assert [placed.node.key for placed in layout.placed if placed.box.meets(stroke)] == []


@each
def test_wires_run_level_or_upright(name: str):
    for wire in lay_out(picture(name)).wires:
        for start, end in segments(wire):
            assert min(abs(start[0] - end[0]), abs(start[1] - end[1])) < 0.5


@each
def test_wires_of_different_values_never_run_on_top_of_each_other(name: str):
    parts = [(wire.edge, part) for wire in lay_out(picture(name)).wires for part in segments(wire)]
    for (edge, one), (other_edge, other) in combinations(parts, 2):
        # wires may share their beginning with those of their own box, and meet at the end of all lanes
        if edge.tail != other_edge.tail and edge.head != other_edge.head:
            assert not along(one, other), (edge, other_edge)


def along(one: tuple[Point, Point], other: tuple[Point, Point]) -> bool:
    """Whether two straight lines have more than a point in common."""
    for axis in (0, 1):
        same = {round(point[axis]) for point in (*one, *other)}
        spans = [sorted(point[1 - axis] for point in line) for line in (one, other)]
        if len(same) == 1 and min(high for _, high in spans) - max(low for low, _ in spans) > 1:
            return True
    return False


def within(box: Box, page: Box) -> bool:
    beside = box.left >= page.left and box.right <= page.right
    return beside and box.top >= page.top and box.bottom <= page.bottom


@each
def test_mermaid_has_the_same_boxes_and_wires(name: str):
    found = picture(name)
    lines = FORMATS[".mmd"](found).splitlines()
    assert "flowchart LR" in lines
    boxes = [match[1] for line in lines if (match := re.match(r'\s+(\w+)[\[(]+"', line))]
    assert sorted(boxes) == sorted(node.key for node in found.nodes)
    arrow = r'  (\w+) (?:-->|-\. "[^"]*" \.->) (\w+)'
    wires = [match.groups() for line in lines if (match := re.fullmatch(arrow, line))]
    assert sorted(wires) == edges(found)


@each
def test_dot_has_the_same_boxes_and_wires(name: str):
    found = picture(name)
    text = FORMATS[".dot"](found)
    assert sorted(re.findall(r'^\s+"(\w+)" \[', text, re.MULTILINE)) == sorted(
        node.key for node in found.nodes
    )
    assert sorted(re.findall(r'^\s+"(\w+)" -> "(\w+)"', text, re.MULTILINE)) == edges(found)
    assert text.count("{") == text.count("}")


def test_strange_text_is_escaped():
    found = picture("hostile")
    root = ElementTree.fromstring(FORMATS[".svg"](found))
    assert root.findtext(f"{SVG}title") == found.heading
    assert "where epoch < 5 and progress" in [text.text for text in root.iter(f"{SVG}text")]
    flowchart = FORMATS[".mmd"](found).partition("flowchart LR\n")[2]
    assert "where epoch #60; 5" in flowchart
    assert not re.search(r"<(?!br/>)|[&`\\]", flowchart)
    assert r"weights at \"a.*[0]&amp;<x>\"" in FORMATS[".dot"](found)


def test_without_a_file_mermaid_is_printed(capsys: pytest.CaptureFixture[str]):
    assert main(["graph", "sam"]) == 0
    assert capsys.readouterr().out == FORMATS[".mmd"](picture("sam"))


@pytest.mark.parametrize("suffix", list(FORMATS))
def test_the_files_name_chooses_the_format(tmp_path: Path, suffix: str):
    path = tmp_path / f"picture{suffix}"
    assert main(["graph", "mixpert(eps: 8/255)", "-o", str(path)]) == 0
    assert path.read_text(encoding="utf-8") == FORMATS[suffix](picture("mixpert(eps: 8/255)"))


@pytest.mark.parametrize("name", ["picture.png", "picture"])
def test_an_unknown_format_is_a_usage_error(capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str):
    path = tmp_path / name
    assert main(["graph", "sam", "-o", str(path)]) == 2
    said = capsys.readouterr().err
    assert f"error[T503]: `{path}` is of no format that taxo draws" in said
    assert "help: write `picture.svg`, `picture.mmd` or `picture.dot`" in said
    assert not path.exists()


def test_a_mistake_in_the_method_is_a_message(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    assert main(["graph", "sma"]) == 1
    assert "did you mean `sam`?" in capsys.readouterr().err
    assert main(["graph", "sam", "-o", str(tmp_path / "no" / "sam.svg")]) == 1
    assert "cannot be written" in capsys.readouterr().err


def test_drawing_takes_no_torch(tmp_path: Path):
    calls = f"main(['graph', 'sam', '-o', {str(tmp_path / 'sam.svg')!r}]), main(['list', '--lattice'])"
    question = f"import sys; from taxo.cli import main; {calls}; print('torch' in sys.modules)"
    found = subprocess.check_output([sys.executable, "-c", question], text=True)
    assert found.splitlines()[-1] == "False"
