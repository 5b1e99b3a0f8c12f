using System.CommandLine;
using Farm.Cli.Output;
using Farm.Models.Tokenizers;

namespace Farm.Cli.Verbs;

/// <summary><c>farm tokenize</c>: token ids of a text, and the text they decode to.</summary>
internal static class TokenizeVerb
{
    /// <summary>Builds the verb.</summary>
    public static Command Create()
    {
        var model = new Option<string>("--model") { Description = "Folder with tokenizer.model or tokenizer.json.", HelpName = "DIR", Required = true };
        var text = new Option<string>("--text") { Description = "The text.", HelpName = "TEXT", Required = true };
        var plain = new Option<bool>("--no-special-tokens") { Description = "Adds no BOS or other special tokens." };
        var json = new Option<bool>("--json") { Description = "Prints JSON: {\"ids\": [...], \"text\": ...}." };
        var command = new Command("tokenize", "Turns text into token ids.");
        command.Options.Add(model);
        command.Options.Add(text);
        command.Options.Add(plain);
        command.Options.Add(json);
        command.SetAction(result =>
        {
            var tokenizer = TokenizerLoader.Load(result.GetRequiredValue(model));
            int[] ids = tokenizer.Encode(result.GetRequiredValue(text), !result.GetValue(plain));
            if (!result.GetValue(json))
            {
                Console.Out.WriteLine(string.Join(' ', ids));
                return ExitCodes.Done;
            }

            StandardOutput.WriteLine(w =>
            {
                w.WriteStartObject();
                w.WriteStartArray("ids");
                foreach (int id in ids)
                {
                    w.WriteNumberValue(id);
                }

                w.WriteEndArray();
                w.WriteString("text", tokenizer.Decode(ids));
                w.WriteEndObject();
            });
            return ExitCodes.Done;
        });
        return command;
    }
}
