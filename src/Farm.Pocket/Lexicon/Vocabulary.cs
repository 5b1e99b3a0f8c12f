namespace Farm.Pocket.Lexicon;

/// <summary>Words about words: verbs, opposites, rhymes, the secret code, days, months, and adjectives.</summary>
internal static class Vocabulary
{
    public static readonly Dictionary<string, string> Past = Pairs(
        "walk walked,jump jumped,play played,help helped,look looked,cook cooked,paint painted,open opened,close closed,wash washed,go went,eat ate,"
        + "see saw,run ran,sing sang,swim swam,drink drank,write wrote,buy bought,take took,give gave,make made,find found,sleep slept,fly flew,come came");

    public static readonly Dictionary<string, string> Opposites = Both(
        "hot cold,big small,fast slow,old new,high low,happy sad,day night,up down,in out,open closed,full empty,hard soft,light dark,wet dry,"
        + "early late,strong weak,long short,rich poor,clean dirty,loud quiet");

    public static readonly string[][] Rhymes =
    [
        ["cat", "hat", "bat", "mat"], ["dog", "log", "fog", "frog"], ["bee", "tree", "sea", "tea"], ["cake", "lake", "snake", "rake"], ["moon", "spoon", "noon", "soon"],
        ["car", "star", "jar", "far"], ["king", "ring", "sing", "wing"], ["house", "mouse", "blouse"], ["night", "light", "kite", "bite"], ["boat", "coat", "goat", "note"],
        ["red", "bed", "bread", "head"], ["fox", "box", "socks", "rocks"],
    ];

    /// <summary>Code word to English.</summary>
    public static readonly Dictionary<string, string> Code = Pairs(
        "zib red,mok blue,tas green,lun cat,dor dog,fip bird,gat apple,hob car,wex hat,nul sees,rav eats,kel has");

    public static readonly string[] Days = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

    public static readonly string[] Months =
        ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];

    public static readonly string[] Adjectives = ["big", "small", "old", "new", "happy", "quiet", "fast", "slow", "clean", "strong"];

    public static readonly string[] Verbs = ["sleeps", "waits", "smiles", "rests", "jumps", "walks"];

    public static readonly string[] Places = ["house", "park", "garden", "farm", "school", "shop"];

    /// <summary>The key of a value.</summary>
    public static string? KeyOf(Dictionary<string, string> pairs, string value) => pairs.FirstOrDefault(p => p.Value == value).Key;

    private static Dictionary<string, string> Pairs(string text) =>
        text.Split(',').Select(p => p.Split(' ')).ToDictionary(p => p[0], p => p[1], StringComparer.Ordinal);

    private static Dictionary<string, string> Both(string text)
    {
        var pairs = Pairs(text);
        foreach (var (left, right) in pairs.ToArray())
        {
            pairs.Add(right, left);
        }

        return pairs;
    }
}
