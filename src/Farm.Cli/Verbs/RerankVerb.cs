using System.CommandLine;
using System.Text.Json;
using Farm.Cli.Engine;
using Farm.Cli.Options;
using Farm.Cli.Output;
using Farm.Core;
using Farm.Inference;

namespace Farm.Cli.Verbs;

/// <summary><c>farm rerank</c>: the best of the outputs that each row already has.</summary>
internal static class RerankVerb
{
    /// <summary>Builds the verb.</summary>
    public static Command Create(CancellationToken cancellation)
    {
        var scorer = new Option<string>("--scorer", "--model") { Description = "Folder of the reward model.", HelpName = "DIR", Required = true };
        var input = new Option<string>("--input") { Description = "Rows with instruction, input and a list of outputs, e.g. from farm decode.", HelpName = "FILE", Required = true };
        var topK = new Option<int>("--rerank-top-k") { Description = "How many of the best to name.", HelpName = "K", DefaultValueFactory = _ => 1 };
        var json = new Option<bool>("--json") { Description = "Prints what was done as JSON." };
        var prompts = new PromptOptions(chat: false);
        var run = new RunOptions(outputRequired: true);
        var engine = new EngineOptions();
        var command = new Command("rerank", "Ranks the responses of each row by a reward model.");
        command.Options.Add(scorer);
        command.Options.Add(input);
        command.Options.Add(topK);
        prompts.AddTo(command);
        run.AddTo(command);
        engine.AddTo(command);
        command.Options.Add(json);
        command.SetAction(result =>
        {
            string output = run.OutputPath(result)!, file = result.GetRequiredValue(input);
            int top = result.GetRequiredValue(topK);
            var session = ScoringSession.Open(result, engine, prompts, result.GetRequiredValue(scorer), file, output);
            Check(session, file, top);
            var fingerprint = session.Fingerprint("rerank");
            fingerprint["rerank-top-k"] = top;
            using var journal = run.OpenJournal(result, output, fingerprint);
            session.Run("Ranking", journal, (i, rewards) => journal.Append(i, w => WriteRow(w, session, i, rewards, top)), cancellation);
            journal.Complete();
            if (result.GetValue(json))
            {
                StandardOutput.WriteLine(w =>
                {
                    w.WriteStartObject();
                    w.WriteString("output", output);
                    w.WriteNumber("rows", session.Rows.Count);
                    w.WriteNumber("outputs", session.Rows.Sum(r => r.Outputs.Count));
                    w.WriteEndObject();
                });
            }
            else
            {
                Console.Out.WriteLine($"{session.Rows.Sum(r => r.Outputs.Count)} outputs of {session.Rows.Count} rows ranked: {output}");
            }

            return ExitCodes.Done;
        });
        return command;
    }

    private static void Check(ScoringSession session, string file, int top)
    {
        int outputs = session.Rows[0].Outputs.Count;
        foreach (var row in session.Rows)
        {
            if (!row.OutputIsList)
            {
                throw new BadInputException($"{file}, row {row.Number}, field 'output': must be a list of texts to rank, not one text.");
            }

            if (row.Outputs.Count != outputs)
            {
                throw new BadInputException($"{file}, row {row.Number}, field 'output': has {row.Outputs.Count} texts where row 1 has {outputs}.");
            }
        }

        if (top < 1 || top > outputs)
        {
            throw new BadInputException($"--rerank-top-k must be from 1 to the {outputs} outputs of a row, not {top}.");
        }
    }

    /// <summary>AlpacaFarm's rerank row, the rewards, and what else the input row holds.</summary>
    private static void WriteRow(Utf8JsonWriter writer, ScoringSession session, int index, float[] rewards, int top)
    {
        var row = session.Rows[index];
        int[] best = Ranking.Order(rewards)[..top];
        writer.WriteStartObject();
        writer.WriteString("instruction", row.Instruction);
        writer.WriteString("input", row.Input);
        writer.WriteStartArray("output");
        foreach (string text in row.Outputs)
        {
            writer.WriteStringValue(text);
        }

        writer.WriteEndArray();
        writer.WriteStartArray("top_sequence");
        foreach (int i in best)
        {
            writer.WriteStringValue(session.Prompts[index] + row.Outputs[i]);
        }

        writer.WriteEndArray();
        writer.WriteStartArray("top_index");
        foreach (int i in best)
        {
            writer.WriteNumberValue(i);
        }

        writer.WriteEndArray();
        writer.WriteString("scorer_name_or_path", session.ScorerName);
        writer.WriteStartArray("scores");
        foreach (float reward in rewards)
        {
            writer.WriteNumberValue(reward);
        }

        writer.WriteEndArray();
        RowWriter.WriteCarried(writer, row, "top_sequence", "top_index", "scorer_name_or_path", "scores");
        writer.WriteEndObject();
    }
}
