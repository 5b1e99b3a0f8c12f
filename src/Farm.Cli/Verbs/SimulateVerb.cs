using System.CommandLine;
using Farm.Cli.Options;
using Farm.Cli.Output;
using Farm.Cli.Simulation;
using Farm.Core;

namespace Farm.Cli.Verbs;

/// <summary><c>farm simulate</c>: AlpacaFarm's experiment, offline.</summary>
internal static class SimulateVerb
{
    /// <summary>Builds the verb.</summary>
    public static Command Create(CancellationToken cancellation)
    {
        var output = new Option<string>("--output") { Description = "Folder of stages, models and results.", HelpName = "DIR", Required = true };
        var quick = new Option<bool>("--quick") { Description = "Smaller settings, from the embedded fine-tuned model where there is one: minutes instead of the better part of an hour." };
        var methods = new Option<string?>("--methods") { Description = $"Methods, with commas between them; all unless given: {string.Join(", ", SimulationSettings.AllMethods)}.", HelpName = "NAMES" };
        var resume = new Option<bool>("--resume") { Description = "Goes on with an unfinished simulation, stage by stage." };
        var seed = new Option<ulong>("--seed") { Description = "Seed of training, sampling and judges.", HelpName = "S" };
        var threads = new Option<int>("--threads") { Description = "Threads of the kernels.", HelpName = "T", DefaultValueFactory = _ => Environment.ProcessorCount };
        var ppoSteps = new Option<int?>("--ppo-steps") { Description = "Outer steps of PPO and Quark, instead of the settings' own.", HelpName = "N" };
        var numbers = new Option<string?>("--settings") { Description = "JSON file of numbers in place of the settings' own, with the names that simulate.json has.", HelpName = "FILE" };
        var json = new Option<bool>("--json") { Description = "Prints the results as JSON." };
        var device = new DeviceOption();
        var command = new Command("simulate", "Runs the AlpacaFarm experiment in the pocket world, offline: fine-tuning, simulated preferences, a reward model, every method, and what judges and gold say of them.");
        foreach (var option in new Option[] { output, quick, methods, resume, seed, threads, ppoSteps, numbers, json })
        {
            command.Options.Add(option);
        }

        device.AddTo(command);
        command.SetAction(result =>
        {
            string folder = FlagChecks.OutputFolder(result.GetRequiredValue(output));
            string[] chosen = result.GetValue(methods)?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) ?? [.. SimulationSettings.AllMethods];
            if (chosen.FirstOrDefault(m => !SimulationSettings.AllMethods.Contains(m)) is { } unknown)
            {
                throw new BadInputException($"--methods: there is no '{unknown}'; there are {string.Join(", ", SimulationSettings.AllMethods)}.");
            }

            int width = EngineOptions.CheckThreads(result.GetValue(threads));
            var settings = result.GetValue(quick) ? SimulationSettings.Quick(result.GetValue(seed), width) : SimulationSettings.Full(result.GetValue(seed), width);
            if (result.GetValue(numbers) is { } file)
            {
                settings = settings.With(file);
            }

            if (device.Read(result) is { IsCuda: true } gpu)
            {
                settings = settings with { Device = gpu };
            }

            if (result.GetValue(ppoSteps) is { } steps)
            {
                settings = steps >= 1
                    ? settings with { PpoSteps = steps, QuarkSteps = steps, PpoEvalSteps = Math.Min(settings.PpoEvalSteps, steps) }
                    : throw new BadInputException($"--ppo-steps must be at least 1, not {steps}.");
            }

            SimulationResult found;
            try
            {
                found = new Simulation.Simulation(folder, settings, chosen, result.GetValue(resume), cancellation).Run();
            }
            catch (OperationCanceledException e) when (e is not InterruptedRunException)
            {
                throw new InterruptedRunException($"Interrupted: stages that are done are in {folder}, and --resume goes on from them.");
            }

            if (result.GetValue(json))
            {
                StandardOutput.WriteLine(w => found.ToJson().WriteTo(w));
                return ExitCodes.Done;
            }

            foreach (string line in found.Lines())
            {
                Console.Out.WriteLine(line);
            }

            Console.Out.WriteLine(Path.Combine(folder, "simulate.html"));
            return ExitCodes.Done;
        });
        return command;
    }
}
