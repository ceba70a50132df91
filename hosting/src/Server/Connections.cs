using System.Threading;
using Ancm.Hosting.Abi;

namespace Ancm.Hosting.Server
{
    /// <summary>
    /// Remembers connections between their requests. Nobody tells when one is over, so there is room for a fixed number; one
    /// that was pushed out is made again.
    /// </summary>
    internal static class Connections
    {
        private const int Remembered = 1024;

        private static readonly Connection?[] _connections = new Connection?[Remembered];

        public static Connection Of(in ConnectionFacts facts)
        {
            ref var place = ref _connections[facts.Id % Remembered];
            var connection = Volatile.Read(ref place);
            if (connection == null || connection.Number != facts.Id ||
                connection.HasCertificate == facts.Certificate.IsEmpty)
            {
                connection = new Connection(facts);
                Volatile.Write(ref place, connection);
            }
            return connection;
        }
    }
}
