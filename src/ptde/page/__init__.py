"""A run or a comparison as one HTML file that needs nothing else: `ptde report`."""

from pathlib import Path

from ptde.files import write_whole

REPORT = "report.html"
"""Name of the page's file."""


def write_page(path: Path | str, out: Path | str | None = None, battles: int = 2) -> Path:
    """Writes the page of a run or of a comparison.

    A page can be written before the runs have ended; it then says which have not.

    Args:
        path: the run folder, or the folder of a comparison.
        out: the file to write; None is ``report.html`` in the folder.
        battles: number of battles to record, each from another initial state, as far as the
            page stays below 2 MB. >= 0.

    Raises:
        ValueError: the folder is neither, or has nothing to show yet, or ``out`` cannot be
            a file.
    """
    from ptde.page.comparison import comparison_page, is_comparison
    from ptde.page.run import run_page

    path = Path(path)
    target = Path(out) if out is not None else path / REPORT
    if out is not None and not target.parent.is_dir():
        raise ValueError(f"--out {target}: make the folder {target.parent} first")
    if target.is_dir():
        raise ValueError(f"--out {target} is a folder: type a file, e.g. {target / REPORT}")
    if (path / "run.json").is_file():
        page = run_page(path, battles)
    elif is_comparison(path):
        page = comparison_page(path, battles)
    else:
        raise ValueError(
            f"{path} is neither a run folder nor one of a comparison: type the path that "
            "`ptde run` or `ptde compare` printed, e.g. runs/smax-3m-qmix_gip-0"
        )
    write_whole(target, page.encode(errors="replace"))  # JSON holds half characters, too
    return target
