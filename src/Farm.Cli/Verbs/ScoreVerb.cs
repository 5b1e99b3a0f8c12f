using System.CommandLine;
using System.Text.Json;
using Farm.Cli.Data;
using Farm.Cli.Engine;
using Farm.Cli.Options;
using Farm.Cli.Output;

namespace Farm.Cli.Verbs;

/// <summary><c>farm score</c>: a reward for each output of each row.</summary>
internal static class ScoreVerb
{
    /// <summary>Builds the verb.</summary>
    public static Command Create(CancellationToken cancellation)
    {
        var model = new Option<string>("--model", "--scorer") { Description = "Folder of the reward model.", HelpName = "DIR", Required = true };
        var input = new Option<string>("--input") { Description = "Rows with instruction, input and output (a text or a list of texts).", HelpName = "FILE", Required = true };
        var json = new Option<bool>("--json") { Description = "Prints what was done as JSON." };
        var prompts = new PromptOptions(chat: false);
        var run = new RunOptions(outputRequired: true);
        var engine = new EngineOptions();
        var command = new Command("score", "Gives a reward to each response of a file.");
        command.Options.Add(model);
        command.Options.Add(input);
        prompts.AddTo(command);
        run.AddTo(command);
        engine.AddTo(command);
        command.Options.Add(json);
        command.SetAction(result =>
        {
            string output = run.OutputPath(result)!;
            var session = ScoringSession.Open(result, engine, prompts, result.GetRequiredValue(model), result.GetRequiredValue(input), output);
            using var journal = run.OpenJournal(result, output, session.Fingerprint("score"));
            session.Run("Scoring", journal, (i, rewards) => journal.Append(i, w => WriteRow(w, session.Rows[i], rewards, session.ScorerName)), cancellation);
            double[] all = [.. journal.Rows.SelectMany(r => Rewards(r.GetProperty("reward")))];
            journal.Complete();
            if (result.GetValue(json))
            {
                StandardOutput.WriteLine(w =>
                {
                    w.WriteStartObject();
                    w.WriteString("output", output);
                    w.WriteNumber("rows", session.Rows.Count);
                    w.WriteNumber("outputs", all.Length);
                    w.WriteNumber("mean_reward", all.Average());
                    w.WriteEndObject();
                });
            }
            else
            {
                Console.Out.WriteLine(FormattableString.Invariant($"{all.Length} outputs of {session.Rows.Count} rows, mean reward {all.Average():F4}: {output}"));
            }

            return ExitCodes.Done;
        });
        return command;
    }

    private static IEnumerable<double> Rewards(JsonElement reward) =>
        reward.ValueKind == JsonValueKind.Array ? reward.EnumerateArray().Select(e => e.GetDouble()) : [reward.GetDouble()];

    /// <summary>The row as it was read, with its reward: a number, or as many as its list of outputs has.</summary>
    private static void WriteRow(Utf8JsonWriter writer, InstructionRow row, float[] rewards, string scorer)
    {
        writer.WriteStartObject();
        foreach (var field in row.Fields.EnumerateObject().Where(f => f.Name is not ("reward" or "scorer_name_or_path")))
        {
            field.WriteTo(writer);
        }

        if (row.OutputIsList)
        {
            writer.WriteStartArray("reward");
            foreach (float reward in rewards)
            {
                writer.WriteNumberValue(reward);
            }

            writer.WriteEndArray();
        }
        else
        {
            writer.WriteNumber("reward", rewards[0]);
        }

        writer.WriteString("scorer_name_or_path", scorer);
        writer.WriteEndObject();
    }
}
