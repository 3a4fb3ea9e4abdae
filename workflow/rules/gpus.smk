"""One entry of the Slurm profile for all rules that ask for a GPU; included last."""


def set_for_gpus():
    """Give every rule that asks for a GPU what the profile sets for `with_gpu`, unless it has an entry of its own."""
    entries = workflow.resource_settings.overwrite_resources
    for asked in workflow.rules:
        if GPU and "gpu" in asked.resources:
            own = entries.get(asked.name, {})
            for name, value in entries.get("with_gpu", {}).items():
                asked.resources[name] = asked.resources[name] if name in own else value


set_for_gpus()
