using System;
using System.IO;
using System.Threading.Tasks;

namespace Ancm.Hosting.Http
{
    /// <summary>What <c>IHttpExtendedConnectFeature</c> has, from .NET 7 on, of a request that is one.</summary>
    public class ExtendedConnect
    {
        /// <summary>Always.</summary>
        public virtual bool IsExtendedConnect => true;

        /// <summary>Native takes no other.</summary>
        public virtual string Protocol => "websocket";

        internal Func<ValueTask<Stream>> Accept { private get; set; } = () => throw new InvalidOperationException();

        /// <summary>Answers, and gives the stream.</summary>
        public virtual ValueTask<Stream> AcceptAsync() => Accept();
    }
}
