"""The findings as text, and as the page bench/RESULTS.md."""

import datetime
import statistics
import subprocess

import machine

_COLUMNS = (
    "direct",
    "haproxy",
    "haproxy, splice",
    "nginx stream",
    "nginx mail",
    "evenpost",
)


def _number(value):
    return f"{value:.2f}" if abs(value) < 10 else f"{value:,.0f}"


def _range(values):
    median = _number(statistics.median(values))
    if len(values) < 2 or min(values) == max(values):
        return median
    return f"{median} ({_number(min(values))} – {_number(max(values))})"


def _shown(finding, column):
    """The samples that belong in a column: the subject stands in ours."""
    program = finding.subject if column == "evenpost" else column
    return finding.samples.get(program)


def _ratio_to(finding, rival):
    ratios = finding.ratios(rival)
    text = f"{statistics.median(ratios):.2f}"
    if len(ratios) > 1:
        text += f" ({min(ratios):.2f} – {max(ratios):.2f})"
    return f"{text} × {'without' if rival == 'evenpost' else rival}"


def _ratio(finding):
    """As text: how we stand to whom we are measured against."""
    return "; ".join(_ratio_to(finding, rival) for rival in finding.rivals()) or "–"


def _aim(finding):
    if finding.aim is None:
        return "–"
    sign = "≥" if finding.aim.at_least else "≤"
    if finding.aim.against is None:
        return f"{sign} {finding.aim.bound:,.0f}"
    return f"{sign} {finding.aim.bound:.2f}"


def _verdict(finding):
    return {None: "–", True: "yes", False: "**no**"}[finding.is_met()]


def _cells(finding):
    samples = (_shown(finding, column) for column in _COLUMNS)
    return [_range(values) if values else "–" for values in samples]


def _table(heads, lines):
    yield "| " + " | ".join(heads) + " |"
    yield "|---" * len(heads) + "|"
    for line in lines:
        yield "| " + " | ".join(line) + " |"


def _main_table(results):
    findings = [finding for result in results for finding in result.findings]
    return _table(
        ["", "unit", *_COLUMNS, "evenpost's ratio", "aim", "met"],
        (
            [f.title, f.unit, *_cells(f), _ratio(f), _aim(f), _verdict(f)]
            for f in findings
        ),
    )


def _beside_table(results):
    findings = [finding for result in results for finding in result.beside]
    return _table(
        ["", "unit", *_COLUMNS], ([f.title, f.unit, *_cells(f)] for f in findings)
    )


def _failures(results):
    for result in results:
        for program, count in result.failed.items():
            yield f"- {result.name}: {count} messages failed through {program}"


def summary(result):
    """One line for each finding, while the rest is still being measured."""
    lines = []
    for finding in result.findings:
        cells = ", ".join(
            f"{program} {_range(samples)}" for program, samples in finding.samples.items()
        )
        lines.append(
            f"{finding.title} [{finding.unit}]: {cells}; ratio {_ratio(finding)}, "
            f"aim {_aim(finding)}, met: {_verdict(finding).strip('*')}"
        )
    lines.extend(_failures([result]))
    return "\n".join(lines)


def _first_line(*command):
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return (done.stdout.splitlines() or ["unknown"])[0]


def _missed(results):
    """A line for each aim that was missed: what the figure is made of."""
    for result in results:
        for finding in result.findings:
            if finding.is_met() is False and finding.aim.dominates:
                yield f"- *{finding.title}*: {finding.aim.dominates}."


def versions():
    """Asked before the first row: the tree may have moved on at the end."""
    haproxy = _first_line("haproxy", "-v").split()
    nginx = _first_line("nginx", "-v").rpartition("/")[2]
    commit = _first_line("git", "rev-parse", "--short", "HEAD")
    return f"evenpost at {commit}, haproxy {haproxy[2]}, nginx {nginx}"


def _missed_part(results):
    missed = list(_missed(results))
    if not missed:
        return []
    return ["Aims that were missed, and what dominates there:", "", *missed, ""]


def document(results, pace, took, others, measured):
    """The page. others: CPUs that other work on the machine kept busy meanwhile;
    measured: versions()."""
    today = datetime.date.today().isoformat()
    lines = [
        "# Results",
        "",
        f"Written by `make bench` on {today}, in {took / 60:.0f} minutes; how, and what it",
        "means: [docs/performance.md](../docs/performance.md).",
        "",
        f"- {machine.description()}",
        f"- {measured}; one thread each",
        "- generator, balancer and servers share the machine, and other work on it took "
        f"{others:.2f} CPUs from them",
        f"- medians of {pace.runs} alternating runs of {pace.seconds:g} s (minimum – "
        "maximum); ratios of each pair of runs",
        "",
        *_main_table(results),
        "",
        *_missed_part(results),
        "CPU µs: the balancer's own user and system time for one session or message. The",
        "rest of what was measured, for which there is no aim:",
        "",
        *_beside_table(results),
    ]
    failures = list(_failures(results))
    if failures:
        lines += ["", "Failures:", "", *failures]
    return "\n".join(lines) + "\n"
