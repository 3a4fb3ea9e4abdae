"""What rules have in common, where they do not say otherwise; included last."""


def complete_rule(asked):
    """Logs and benchmarks in a folder of the rule's name, a file for each job; environment and resources of a small job."""
    if asked.norun or asked.is_run:
        return
    # The names are a set, which the processes of the jobs may have in another order.
    words = "_".join(f"{{{name}}}" for name in sorted(asked.wildcard_names))
    name = Path(re.sub("^(atac|train)_", r"\1/", asked.name), words)
    asked.log_modifier = asked.benchmark_modifier = asked.output_modifier
    if not asked.log:
        asked.set_log(f"{R}/logs/{name}.log")
    if not asked.benchmark:
        asked.benchmark = f"{R}/benchmarks/{name}.tsv"
    if not asked.conda_env:
        asked.conda_env = f"../../envs/{'atac' if asked.name.startswith('atac_') else 'python'}.yaml"
    for resource, value in asks(1000, 10).items():
        asked.resources.setdefault(resource, value)


def set_for_gpus(asked):
    """Give a rule that asks for a GPU what the profile sets for `with_gpu`, unless it has an entry of its own."""
    entries = workflow.resource_settings.overwrite_resources
    if GPU and "gpu" in asked.resources:
        own = entries.get(asked.name, {})
        for name, value in entries.get("with_gpu", {}).items():
            asked.resources[name] = asked.resources[name] if name in own else value


for each in workflow.rules:
    complete_rule(each)
    set_for_gpus(each)
