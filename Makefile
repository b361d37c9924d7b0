.DEFAULT_GOAL := help
PYTHON := .venv/bin/python

.PHONY: help
help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1|/' | column -t -s '|'

.PHONY: play
play: ## Start the instrument
	./play

.PHONY: check
check: ## Everything that must pass: lint, types, floors, tests
	./check

.PHONY: lint
lint: ## Format, lint, check types and floors
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m mypy
	.venv/bin/lint-imports --no-logo

.PHONY: test
test: ## Run the tests (one file: make test T=tests/unit/midi)
	$(PYTHON) -m pytest $(T)

.PHONY: bench
bench: ## Measure callback, generator, start-up, latency, jitter and memory; write docs/benchmarks.md
	$(PYTHON) -m synth_app bench --markdown docs/benchmarks.md

.PHONY: panel
panel: ## Measure the panel: its tasks, and what it adds to the hand-over of notes
	$(PYTHON) -m tests.gui.measure_panel

.PHONY: golden
golden: ## Write the golden recordings anew (listen to them before committing)
	SYNTH_APP_GOLDEN=write $(PYTHON) -m pytest tests/golden

.PHONY: demo-tune
demo-tune: ## Write the demo tune's MIDI file anew
	$(PYTHON) tools/make_demo_tune.py
