namespace Farm.Models.Tests;

/// <summary>A folder that goes away with the test.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("farm-tokenizer-").FullName;

    public void Write(string name, string text) => File.WriteAllText(System.IO.Path.Combine(Path, name), text);

    public void Write(string name, byte[] data) => File.WriteAllBytes(System.IO.Path.Combine(Path, name), data);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
