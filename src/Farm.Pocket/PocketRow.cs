namespace Farm.Pocket;

/// <summary>A row of AlpacaFarm's instruction files.</summary>
/// <param name="Instruction">What is asked.</param>
/// <param name="Input">What it is asked of; empty where there is nothing.</param>
/// <param name="Output">A response; empty where there is none yet.</param>
public sealed record PocketRow(string Instruction, string Input, string Output = "")
{
    /// <summary>Instruction and input as one text, which identifies a row.</summary>
    public string Key => string.Concat(Instruction, "\n", Input);
}

/// <summary>A row of AlpacaFarm's preference files.</summary>
/// <param name="Instruction">What is asked.</param>
/// <param name="Input">What it is asked of; empty where there is nothing.</param>
/// <param name="Output1">The first response.</param>
/// <param name="Output2">The second response.</param>
/// <param name="Preference">1 where the first was preferred, 2 where the second was.</param>
public sealed record PocketPreference(string Instruction, string Input, string Output1, string Output2, int Preference);
