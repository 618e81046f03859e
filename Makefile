# What there is to run. Each target is one command; `hack/` and `.ci/run` have the details.
VECTORS ?= tests/vectors

.PHONY: demo test vectors e2e bench lint

demo: ## the main job, step by step, in one process; ONCE=1 ends after the last step, SEED=1 draws the same names each time
	@cargo build --quiet -p wharfinger-standalone -p wharfinger-cli
	@target/debug/wharfinger-standalone $(if $(ONCE),--once) $(if $(SEED),--seed $(SEED))

test: ## everything that needs nothing but Rust and git
	cargo test --workspace
	@$(MAKE) --no-print-directory vectors

vectors: ## our answers against Kargo's, from the folder VECTORS
	@VECTORS=$(abspath $(VECTORS)) cargo test --quiet -p wharfinger-core --test vectors

e2e: ## on a real kube-apiserver and a real Argo CD; the first run builds them (about 20 minutes)
	hack/e2e

bench: ## figures against a peer or a limit measured in the same run
	hack/bench/run

lint: ## formatting, clippy without a warning, dependencies
	cargo fmt --all --check
	cargo fmt --check --manifest-path hack/fuzz/Cargo.toml
	cargo clippy --workspace --all-targets --all-features -- -D warnings
	@# The fuzzers are a workspace of their own. They are only read here, so that their C++ half need not be built.
	CUSTOM_LIBFUZZER_PATH=/dev/null cargo check --quiet --manifest-path hack/fuzz/Cargo.toml --target-dir target/fuzz-check
	PATH="$$(hack/lint-tools):$$PATH" cargo deny --workspace check bans licenses sources
