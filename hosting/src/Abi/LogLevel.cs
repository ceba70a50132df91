namespace Ancm.Hosting.Abi
{
    /// <summary>How much a line of the log matters.</summary>
    internal enum LogLevel : uint
    {
        Trace = 0,
        Debug = 1,
        Info = 2,
        Warn = 3,
        Error = 4,
    }
}
