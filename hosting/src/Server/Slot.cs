namespace Ancm.Hosting.Server
{
    /// <summary>A place for one request at a time. Its context serves one request after the other.</summary>
    internal sealed class Slot
    {
        public RequestContext? Context;

        /// <summary>The last request whose client left: its notice may come before the request itself.</summary>
        public ulong Aborted;
    }
}
