namespace Farm.Pocket.Lexicon;

/// <summary>Words without content, which an answer may have around its facts.</summary>
internal static class FunctionWords
{
    /// <summary>The words, in lower case.</summary>
    public static IReadOnlySet<string> All { get; } = new HashSet<string>(
        ("a an the is are was it its it's this that these those here there of to in on at for from with and or but so as by be been am i you we they he she "
         + "my your our their me us them do does did can will would has have had not than then one answer word words called means sure yes well course "
         + "right result gives equals makes make comes says sentence name list think hope helps help question good glad asked really very much")
        .Split(' '), StringComparer.Ordinal);
}
