namespace Farm.Annotation.Data;

/// <summary>One record of a CSV file.</summary>
/// <param name="Row">Its number, from 1.</param>
/// <param name="Line">The line of the file that it begins on, from 1.</param>
/// <param name="Fields">Its fields.</param>
public sealed record CsvRecord(int Row, int Line, string[] Fields);
