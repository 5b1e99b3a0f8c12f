namespace Farm.Core;

/// <summary>
/// The user's input cannot be used. The message is one clear sentence that names the file, the row and the field where
/// they are known; the command line prints it on stderr and exits with code 2.
/// </summary>
public sealed class BadInputException : Exception
{
    /// <summary>Creates the error with its one sentence.</summary>
    public BadInputException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the error with its one sentence and what caused it.</summary>
    public BadInputException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
