# SPDX-License-Identifier: BSD-2-Clause
"""The benchmark's figures as text."""


def heading(result):
    """The machine, the day, and what a column holds."""
    machine = result["machine"]
    return (f"{result['date']}, {machine['processors']} processors ({machine['model']}), Linux "
            f"{machine['kernel']}, load {machine['load_before']:.1f}; {result['rounds']} turns of "
            f"{result['seconds']:g} s each\n"
            "CPU: seconds of the filter's processes for 1,000 messages. Times: from end of message "
            "to its answer.")


def span(microseconds):
    """A time in the unit that suits it."""
    if microseconds < 1000:
        return f"{microseconds:.0f} us"
    return f"{microseconds / 1000:.1f} ms"


def row(name, figures):
    """One subject's line."""
    if "why" in figures:
        return f"  {name:<22} {figures['why']}"
    failed = f"  {figures['failed']} failed" if figures.get("failed") else ""
    memory = f"{figures['peak_kib'] / 1024:8.1f} {figures['threads']:8d}" \
        if "peak_kib" in figures else ""
    slow = span(figures["p99_us"]) if "p99_us" in figures else ""
    return (f"  {name:<22} {figures['per_second']:10,.0f} {span(figures['median_us']):>10} "
            f"{slow:>10} {figures['cpu_per_1000']:10.3f} {memory}{failed}")


def ratio_line(name, ratios):
    """spambridge against one other, as factors."""
    parts = [f"{label} {ratios[key]:.2f}" for label, key in
             (("messages", "per_second"), ("median", "median_us"), ("CPU", "cpu_per_1000"))
             if ratios.get(key)]
    return f"  to {name:<21} " + ", ".join(parts)


def cell(figures):
    """One set of conditions: a line for each subject, then spambridge's ratios."""
    lines = ["", figures["title"],
             f"  {'':<22} {'messages/s':>10} {'median':>10} {'99 %':>10} {'CPU/1000':>10} "
             f"{'peak MB':>8} {'threads':>8}"]
    lines += [row(name, one) for name, one in figures["subjects"].items()]
    if figures["floor"]:
        lines.append(row("floor", figures["floor"]))
    if figures["ratios"]:
        lines.append("  spambridge in proportion")
        lines += [ratio_line(name, one) for name, one in figures["ratios"].items()]
    return "\n".join(lines)
