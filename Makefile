# Two commands: `make demo` runs the main job, `make test` checks everything.
# Both set up a virtual environment of their own first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO ?= runs/demo

.PHONY: demo test football wheel docs setup lint types imports unit slow campaign bench clean

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: setup
	@test ! -e $(DEMO) || mv --backup=numbered -T $(DEMO) $(DEMO).old
	$(BIN)/ptde run --preset demo --out $(DEMO)
	@echo "to be opened in a browser:" && $(BIN)/ptde report $(DEMO)

# Google Research Football: builds the engine once, and keeps its wheel.
football: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable '.[football]'
	scripts/football.sh $(VENV)

# What a user installs: dist/, tried out in an environment of its own.
wheel: setup
	scripts/wheel.sh $(VENV)

# The pages of docs/ as a web site: site/. A link that leads nowhere stops it.
docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

$(VENV)/.docs: $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable '.[docs]'
	@touch $@

test: lint types imports unit

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

imports: setup
	$(BIN)/lint-imports

unit: setup
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

# What `make test` leaves out, to stay short.
slow: setup
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile -m slow

# What holds for hours: kills, full disks, faults of worlds, memory. docs/reliability.md
campaign: setup
	for world in jax processes; do for where in random save; do \
		$(BIN)/python -m campaigns.kills --n 50 --where $$where --world $$world \
			--out runs/campaigns/kills-$$where-$$world.json || exit 1; done; done
	$(BIN)/python -m campaigns.workers --n 1000
	$(BIN)/python -m campaigns.bad_input --n 150
	$(BIN)/python -m campaigns.properties --n 1000
	$(BIN)/python -m campaigns.full_disk --n 40
	$(BIN)/python -m campaigns.memory --minutes 120 --picture docs/memory.png

bench: setup
	$(BIN)/python benchmarks/throughput.py

clean:
	rm -rf $(VENV) runs dist site
