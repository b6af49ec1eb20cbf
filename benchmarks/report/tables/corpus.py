"""Tables of corpus runs: preparing, the layer and the processes of one machine, Ray's workers, and full texts."""

from benchmarks.report.captions import captioned
from benchmarks.report.runs import Run, processor

_INPUTS = {"pubmed": "PubMed's XML, gzip", "jsonl": "JSON Lines", "parquet": "Parquet, zstd"}


def corpus_prepare_table(run: Run) -> str:
    """Makes the table of the time and memory of `corpus prepare`."""
    rows = [
        [
            _INPUTS[name],
            f"{found['documents']:,}",
            f"{found['text_bytes'] / 1e6:.0f} MB",
            f"{found['seconds']:.1f} s",
            f"{found['seconds_a_gigabyte']:.0f} s",
            f"{found['seconds_a_gigabyte_of_xml']:.0f} s" if "seconds_a_gigabyte_of_xml" in found else "",
            f"{found['peak_bytes'] / 1e6:.0f} MB",
        ]
        for name, found in run["inputs"].items()
        if "skipped" not in found
    ]
    samples = {len(found["samples"]) for found in run["inputs"].values() if "skipped" not in found}
    caption = (
        f"`corpus prepare` of made-up documents on an {processor(run)}; medians of {max(samples)} runs of the command, "
        "and the most memory of any. A gigabyte of text is that of titles and texts; half of an XML file is markup."
    )
    header = ["input", "documents", "text", "time", "a gigabyte of text", "a gigabyte of XML", "peak memory"]
    return captioned(caption, header, rows, run)


def corpus_layer_table(run: Run) -> str:
    """Makes the table of the processes that share a machine, and the sentence on what the layer costs."""
    layer, pool = run["layer"], run["pool"]
    rows = [
        [
            workers,
            f"{found['documents_a_minute_and_process']:.1f}",
            f"{found['documents_a_minute_and_process'] * found['processes']:.1f}",
            f"{found['efficiency']:.1%}",
        ]
        for workers, found in pool.items()
    ]
    caption = (
        f"Processes of one thread each that work on one run: {run['bundle']['precision']}, "
        f"{run['bundle']['layers']} layers, on an {processor(run)}. A process among as many as there are cores "
        f"has {run['share_of_speed_when_full']:.0%} of the speed of one that is alone."
    )
    header = ["processes", "documents a minute and process", "together", "share of time in units"]
    layer_costs = (
        f"A unit of {layer['unit_documents']} documents takes {layer['ratio']:.3f} x the time of the command for one "
        f"file ({layer['extra_seconds']:.2f} s more; medians of {len(layer['samples']['run'])} in turns)."
    )
    return f"{captioned(caption, header, rows, run)}\n\n{layer_costs}"


def corpus_division_table(run: Run) -> str:
    """Makes the table of the ways in which processes divide a machine's cores."""
    rows = [
        [name, f"{found['documents_a_minute']:.1f}", f"{found['ratio']:.2f}"]
        for name, found in run["divisions"].items()
    ]
    samples = max(len(found["samples"]) for found in run["divisions"].values())
    caption = (
        f"Processes and threads that divide the cores of a machine for one run: {run['bundle']['precision']}, "
        f"{run['bundle']['layers']} layers, {run['documents']} documents with short answers on an {processor(run)}; "
        f"medians of {samples} in turns. Starting and loading do not count."
    )
    header = ["processes x threads", "documents a minute", "time beside one process"]
    return captioned(caption, header, rows, run)


def corpus_ray_table(run: Run) -> str:
    """Makes the table of Ray's scheduling beside one without any cost."""
    rows = [
        [
            f"{level['workers']}",
            f"{level['units']:,}",
            f"{level['seconds']:.1f} s",
            f"{level['ideal_seconds']:.1f} s",
            f"{level['efficiency']:.1%}",
            "" if level["efficiency_of_minutes"] is None else f"{level['efficiency_of_minutes']:.1%}",
        ]
        for level in run["levels"]
    ]
    drawn = run["drawn_from"]
    caption = (
        f"Ray {run['ray']} hands out units to workers that sleep for {drawn['mean_seconds']:g} s, give or take "
        f"{drawn['deviation_seconds']:g} s, instead of answering, all on one machine, an {processor(run)}: it shows "
        "the scheduler and the files of a run alone. A scheduler without any cost takes the ideal time. The calling "
        f"process computes {run['driver_seconds_per_unit'] * 1e3:.1f} ms for each unit."
    )
    header = ["workers", "units", "time", "ideal", "ideal to time", "the same of units of a minute"]
    return captioned(caption, header, rows, run)


def full_texts_table(run: Run) -> str:
    """Makes the table of a corpus of full texts, and of what became of them."""
    errors = ", ".join(f"{count} {kind}" for kind, count in run["errors"].items()) or "none"
    rows = [
        ["full texts", f"{run['documents']:,}"],
        ["characters", f"{run['characters'] / 1e6:.1f} million"],
        ["prepare", f"{run['prepare_seconds']:.1f} s"],
        ["work", f"{run['work_seconds'] / 60:.1f} minutes"],
        ["merge", f"{run['merge_seconds']:.1f} s"],
        ["relations", f"{run['relations']:,}"],
        ["documents with an error", errors],
        ["units that were given up", f"{run['set_aside']}"],
    ]
    caption = f"Open-access full texts, read in windows by the bundle {run['bundle']}, on an {processor(run)}."
    return captioned(caption, ["", ""], rows, run)
