using System.Threading;
using Microsoft.AspNetCore.Connections.Features;

namespace Ancm.Hosting.Server
{
    /// <content>The end of the connection, as the app wishes for it.</content>
    internal abstract partial class RequestContext : IConnectionLifetimeNotificationFeature
    {
        // ANCM: nobody ever asks the app for it.
        CancellationToken IConnectionLifetimeNotificationFeature.ConnectionClosedRequested { get; set; }

        /// <summary>After this answer, if that has not begun. A connection of HTTP/2 has other streams and stays.</summary>
        void IConnectionLifetimeNotificationFeature.RequestClose()
        {
            if (!HasStarted && _version != Abi.NativeRequest.Http2)
            {
                ResponseFields["Connection"] = "close";
            }
        }
    }
}
