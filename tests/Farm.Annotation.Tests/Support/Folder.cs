namespace Farm.Annotation.Tests.Support;

/// <summary>A folder for one test.</summary>
internal sealed class Folder : IDisposable
{
    public const string RegexConfig = """
        judge:
          prompt_template: "judge/prompt.txt"
          fn_completions: "openai_completions"
          completions_kwargs:
            model_name: "gpt-4"
            max_tokens: 10
            temperature: 0
          completion_parser_kwargs:
            outputs_to_match:
              1: 'first'
              2: 'second'
        """;

    public const string Prompt = "<|im_start|>user\n{instruction}\n1: {output_1}\n2: {output_2}\n<|im_end|>\n";

    public string Root { get; } = Directory.CreateTempSubdirectory("farm-annotation-").FullName;

    public string File(string name) => Path.Combine(Root, name);

    public string Write(string name, string text)
    {
        string path = File(name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        System.IO.File.WriteAllText(path, text);
        return path;
    }

    /// <summary>A judge's folder.</summary>
    public string Judge(string yaml = RegexConfig, string prompt = Prompt, string name = "judge")
    {
        Write($"{name}/configs.yaml", yaml);
        Write($"{name}/prompt.txt", prompt);
        return File(name);
    }

    public void Dispose() => Directory.Delete(Root, recursive: true);
}
