namespace Farm.Pocket.Lexicon;

/// <summary>An animal of the toy world.</summary>
internal sealed record Animal(string Name, string Sound, int Legs, bool Flies, bool Swims, int Size, string Home);

/// <summary>The things of the toy world and what is so about them. Nothing else is so.</summary>
internal static class Things
{
    public static readonly string[] Colours = ["red", "blue", "green", "yellow", "black", "white", "pink", "brown", "purple", "grey"];

    public static readonly string[] Fruits = ["apple", "banana", "cherry", "grape", "lemon", "mango", "melon", "peach", "pear", "plum"];

    public static readonly string[] Tools = ["hammer", "saw", "drill", "spade", "rake", "ladder", "brush", "knife", "wrench", "axe"];

    public static readonly string[] Clothes = ["hat", "coat", "shirt", "scarf", "sock", "shoe", "glove", "dress", "belt", "jacket"];

    public static readonly string[] Vehicles = ["car", "bus", "train", "boat", "plane", "truck", "bike", "tram", "van", "ship"];

    public static readonly string[] Names =
        ["Anna", "Ben", "Carla", "David", "Emma", "Frank", "Grace", "Henry", "Iris", "Jack", "Kate", "Leo", "Mia", "Nora", "Oscar", "Paula"];

    /// <summary>In order of size.</summary>
    public static readonly Animal[] Zoo =
    [
        new("ant", "none", 6, false, false, 1, "nest"), new("bee", "buzz", 6, true, false, 2, "hive"), new("mouse", "squeak", 4, false, false, 3, "hole"),
        new("frog", "croak", 4, false, true, 4, "pond"), new("bird", "tweet", 2, true, false, 5, "nest"), new("duck", "quack", 2, true, true, 6, "pond"),
        new("cat", "meow", 4, false, false, 7, "house"), new("dog", "woof", 4, false, true, 8, "house"), new("sheep", "baa", 4, false, false, 9, "field"),
        new("pig", "oink", 4, false, false, 10, "farm"), new("lion", "roar", 4, false, false, 11, "cave"), new("cow", "moo", 4, false, false, 12, "farm"),
        new("horse", "neigh", 4, false, false, 13, "stable"), new("whale", "none", 0, false, true, 14, "sea"),
    ];

    public static readonly string[] Animals = [.. Zoo.Select(a => a.Name)];

    /// <summary>Categories by plural name; the members of different categories differ.</summary>
    public static readonly Dictionary<string, string[]> Categories = new(StringComparer.Ordinal)
    {
        ["animals"] = Animals,
        ["colours"] = Colours,
        ["fruits"] = Fruits,
        ["tools"] = Tools,
        ["clothes"] = Clothes,
        ["vehicles"] = Vehicles,
    };

    public static readonly string[] CategoryNames = [.. Categories.Keys];

    /// <summary>The usual colour of each fruit.</summary>
    public static readonly Dictionary<string, string> FruitColours = new(StringComparer.Ordinal)
    {
        ["apple"] = "red",
        ["banana"] = "yellow",
        ["cherry"] = "red",
        ["grape"] = "purple",
        ["lemon"] = "yellow",
        ["mango"] = "yellow",
        ["melon"] = "green",
        ["peach"] = "pink",
        ["pear"] = "green",
        ["plum"] = "purple",
    };

    /// <summary>Every noun.</summary>
    public static readonly string[] Nouns = [.. Animals, .. Fruits, .. Tools, .. Clothes, .. Vehicles];

    /// <summary>Nouns and colours.</summary>
    public static readonly string[] Words = [.. Nouns, .. Colours];

    /// <summary>"a cat", "an ant".</summary>
    public static string A(string noun) => ("aeiou".Contains(noun[0]) ? "an " : "a ") + noun;

    /// <summary>The animal of that name, null for another word.</summary>
    public static Animal? Find(string name) => Array.Find(Zoo, a => a.Name == name);

    /// <summary>The category of a word, null if it has none.</summary>
    public static string? CategoryOf(string word) => CategoryNames.FirstOrDefault(c => Categories[c].Contains(word));

    /// <summary>The plural of a noun.</summary>
    public static string Plural(string noun) => noun switch
    {
        "mouse" => "mice",
        "sheep" => "sheep",
        "knife" => "knives",
        "scarf" => "scarves",
        "cherry" => "cherries",
        _ => noun[^1] is 's' or 'x' || noun.EndsWith("ch", StringComparison.Ordinal) || noun.EndsWith("sh", StringComparison.Ordinal) || noun == "mango"
            ? noun + "es"
            : noun + "s",
    };

    /// <summary>The other number of "animals" and the like.</summary>
    public static string Singular(string category) => category == "clothes" ? "piece of clothing" : category[..^1];
}
